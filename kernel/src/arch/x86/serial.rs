//! COM1, a 16550: the serial line that `make qemu-nox` and grade.py use.

use uart_16550::backend::Backend;

use crate::arch::instructions::Port;
use crate::arch::interrupts::{SERIAL, allow, is_requested};
use crate::arch::uart::Uart;

/// The first of COM1's eight ports on a PC.
const COM1: u16 = 0x3F8;

/// The serial line.
pub(crate) type Serial = Uart<Registers>;

/// The registers of COM1.
pub(crate) struct Registers;

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

impl Serial {
    pub(crate) const fn new() -> Self {
        // SAFETY: the console's value is the only one for these registers.
        unsafe { Self::with(Registers) }
    }

    /// Sets the line up, if the machine has it.
    pub(crate) fn init(&mut self) {
        self.set_up();
    }

    /// Lets typed bytes interrupt the processor, if the port's requests reach the interrupt controller. Returns false
    /// if they do not.
    pub(crate) fn allow_interrupts(&mut self) -> bool {
        self.interrupt_if(|| is_requested(SERIAL) && allow(SERIAL))
    }
}
