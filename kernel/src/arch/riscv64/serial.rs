//! The serial line that `make qemu-nox` and grade.py use: an NS16550 whose registers are memory.

use boot::riscv64::devices::{Device, address};
use boot::riscv64::firmware::cannot_start;
use libjos::mem::addr::PhysAddr;
use uart_16550::backend::Backend;

use super::address::registers;
use super::interrupts::{allow_uart, typed_is_read};
use super::plic;
use crate::arch::uart::Uart;

/// The serial line.
pub(crate) type Serial = Uart<Registers>;

/// The registers of the UART.
pub(crate) struct Registers;

impl Backend for Registers {
    unsafe fn read(&mut self, register: u8) -> u8 {
        // SAFETY: one of the eight registers, a byte each, at addresses that are the device's alone.
        unsafe { uart().add(register.into()).read_volatile() }
    }

    unsafe fn write(&mut self, register: u8, value: u8) {
        // SAFETY: as in `read`. The device does not access memory.
        unsafe { uart().add(register.into()).write_volatile(value) };
    }
}

/// The first of the UART's registers. No kernel starts without a UART.
fn uart() -> *mut u8 {
    registers(Device::Uart).expect("the entry code has found a UART")
}

impl Serial {
    /// Sets the line up. There is no other console: a machine where no UART answers ends.
    pub(crate) fn init(&mut self) {
        if !self.set_up() {
            let pa = address(Device::Uart).map_or(0, PhysAddr::as_u64);
            cannot_start(format_args!(
                "the device tree names a console at {pa:#x}, and the device there is no NS16550"
            ));
        }
    }

    pub(crate) const fn new() -> Self {
        // SAFETY: the console's value is the only one for these registers.
        unsafe { Self::with(Registers) }
    }

    /// Lets typed bytes interrupt the hart, if the UART's requests reach it. Returns false if they do not.
    pub(crate) fn allow_interrupts(&mut self) -> bool {
        let arrives = self.interrupt_if(|| plic::set_up() && allow_uart());
        typed_is_read();
        arrives
    }
}
