//! A serial line by a 16550, whose registers each machine reaches in its own way.

use core::hint;

use uart_16550::backend::Backend;
use uart_16550::spec::registers::{IER, LSR};
use uart_16550::{BaudRate, Config, Uart16550};

/// A serial line.
pub(crate) struct Uart<R: Backend> {
    uart: Uart16550<R>,
    present: bool,
}

impl<R: Backend> Uart<R> {
    /// The line of the 16550 with these registers.
    ///
    /// # Safety
    ///
    /// Nothing else uses the registers.
    pub(in crate::arch) const unsafe fn with(registers: R) -> Self {
        // SAFETY: the caller's promise.
        Self { uart: unsafe { Uart16550::new_with_backend(registers) }, present: false }
    }

    /// Sets the line to 115200 baud, 8 bits, no parity, 1 stop bit. Returns whether a 16550 answers.
    pub(in crate::arch) fn set_up(&mut self) -> bool {
        let config = Config { baud_rate: BaudRate::Baud115200, ..Config::default() };
        self.present = self.uart.init(config).is_ok();
        self.present
    }

    /// Whether the port is there.
    pub(in crate::arch) fn is_present(&self) -> bool {
        self.present
    }

    /// Makes the port interrupt the processor for these reasons alone.
    pub(in crate::arch) fn set_interrupts(&mut self, reasons: IER) {
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
