//! COM1, a 16550: the serial line that `make qemu-nox` and grade.py use.

use core::hint;

use uart_16550::backend::Backend;
use uart_16550::spec::registers::LSR;
use uart_16550::{BaudRate, Config, Uart16550};

use crate::arch::instructions::Port;

/// The first of COM1's eight ports on a PC.
const COM1: u16 = 0x3F8;

/// The registers of COM1.
struct Registers;

impl Backend for Registers {
    unsafe fn read(&mut self, register: u8) -> u8 {
        // SAFETY: on a PC these ports belong to a 16550 or to no device.
        unsafe { Port::<u8>::new(COM1 + u16::from(register)).read() }
    }

    unsafe fn write(&mut self, register: u8, value: u8) {
        // SAFETY: as in `read`. The device does not access memory.
        unsafe { Port::<u8>::new(COM1 + u16::from(register)).write(value) };
    }
}

/// The serial line.
pub(crate) struct Serial {
    uart: Uart16550<Registers>,
    present: bool,
}

impl Serial {
    pub(crate) const fn new() -> Self {
        // SAFETY: the console's value is the only one for these registers.
        Self { uart: unsafe { Uart16550::new_with_backend(Registers) }, present: false }
    }

    /// Sets the line to 115200 baud, 8 bits, no parity, 1 stop bit.
    pub(crate) fn init(&mut self) {
        let config = Config { baud_rate: BaudRate::Baud115200, ..Config::default() };
        self.present = self.uart.init(config).is_ok();
    }

    /// Sends as many of `bytes` as the port accepts now, and returns their number. It may be 0 for a
    /// long time: a real 16550 never waits for a reader, but QEMU's does.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> usize {
        if self.present { self.uart.send_bytes(bytes) } else { bytes.len() }
    }

    /// The next received byte; a carriage return, which terminals send for Enter, becomes `\n`.
    pub(crate) fn try_read(&mut self) -> Option<u8> {
        if !self.present {
            return None;
        }
        let byte = self.uart.try_receive_byte().ok()?;
        Some(if byte == b'\r' { b'\n' } else { byte })
    }

    /// Waits until the last byte has left.
    pub(crate) fn flush(&mut self) {
        while self.present && !self.uart.lsr().contains(LSR::TRANSMITTER_EMPTY) {
            hint::spin_loop();
        }
    }
}
