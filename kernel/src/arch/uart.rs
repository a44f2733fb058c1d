//! A serial line by a 16550, whose registers each machine reaches in its own way.

use core::hint;

use uart_16550::backend::Backend;
use uart_16550::spec::registers::{IER, LSR, offsets};
use uart_16550::{BaudRate, Config, Uart16550};

/// A serial line.
pub(crate) struct Uart<R: Backend> {
    uart: Uart16550<Keeping<R>>,
    present: bool,
}

/// The most bytes that are kept from before the port is set up: more than QEMU holds back for a port without FIFO (33).
const EARLY: usize = 64;

/// The registers. Switching on the port's FIFO drops all that was received before, so this keeps it: a command that was
/// piped into QEMU, for instance, begins to arrive before the kernel starts.
struct Keeping<R> {
    registers: R,
    is_set_up: bool,
    early: [u8; EARLY],
    /// The bytes of `early` that are there, and how many of them `try_read` has returned.
    kept: usize,
    returned: usize,
}

impl<R: Backend> Keeping<R> {
    /// Keeps a byte that the set-up reads.
    fn keep(&mut self, byte: u8) {
        if let Some(place) = self.early.get_mut(self.kept) {
            *place = byte;
            self.kept += 1;
        }
    }

    /// Takes out what was received. QEMU then passes on the next byte at once.
    fn empty(&mut self) {
        // SAFETY: these are registers of a 16550, and reading them does not access memory.
        unsafe {
            while self.kept < EARLY {
                let status = LSR::from_bits_retain(self.registers.read(offsets::LSR as u8));
                if !status.contains(LSR::DATA_READY) {
                    break;
                }
                let byte = self.registers.read(offsets::DATA as u8);
                self.keep(byte);
            }
        }
    }

    fn next_early(&mut self) -> Option<u8> {
        let byte = *self.early[..self.kept].get(self.returned)?;
        self.returned += 1;
        Some(byte)
    }
}

impl<R: Backend> Backend for Keeping<R> {
    unsafe fn read(&mut self, register: u8) -> u8 {
        // SAFETY: the caller's promise.
        let value = unsafe { self.registers.read(register) };
        if register == offsets::DATA as u8 && !self.is_set_up {
            self.keep(value);
        }
        value
    }

    unsafe fn write(&mut self, register: u8, value: u8) {
        if register == offsets::FCR as u8 {
            self.empty();
        }
        // SAFETY: the caller's promise.
        unsafe { self.registers.write(register, value) };
    }
}

impl<R: Backend> Uart<R> {
    /// The line of the 16550 with these registers.
    ///
    /// # Safety
    ///
    /// Nothing else uses the registers.
    pub(in crate::arch) const unsafe fn with(registers: R) -> Self {
        let registers =
            Keeping { registers, is_set_up: false, early: [0; EARLY], kept: 0, returned: 0 };
        // SAFETY: the caller's promise.
        Self { uart: unsafe { Uart16550::new_with_backend(registers) }, present: false }
    }

    /// Sets the line to 115200 baud, 8 bits, no parity, 1 stop bit. Returns whether a 16550 answers.
    pub(in crate::arch) fn set_up(&mut self) -> bool {
        let config = Config { baud_rate: BaudRate::Baud115200, ..Config::default() };
        self.present = self.uart.init(config).is_ok();
        self.uart.backend_mut().is_set_up = true;
        self.present
    }

    /// Makes the port request an interrupt for each typed byte. `arrives` says whether the request that it makes now
    /// reaches the processor. Returns false if it does not, so that somebody must look for typed bytes.
    pub(in crate::arch) fn interrupt_if(&mut self, arrives: impl FnOnce() -> bool) -> bool {
        // The transmitter is empty, so this requests an interrupt at once.
        self.set_interrupts(IER::THR_EMPTY);
        let arrives = arrives();
        self.set_interrupts(IER::DATA_READY);
        arrives || !self.present
    }

    /// Makes the port interrupt the processor for these reasons alone.
    fn set_interrupts(&mut self, reasons: IER) {
        if self.present {
            self.uart.disable_interrupts(IER::all());
            self.uart.enable_interrupts(reasons);
        }
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
        let early = self.uart.backend_mut().next_early();
        let byte = early.or_else(|| self.uart.try_receive_byte().ok())?;
        Some(if byte == b'\r' { b'\n' } else { byte })
    }

    /// Waits until the last byte has left.
    pub(crate) fn flush(&mut self) {
        while self.present && !self.uart.lsr().contains(LSR::TRANSMITTER_EMPTY) {
            hint::spin_loop();
        }
    }
}
