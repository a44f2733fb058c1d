//! The I/O ports of the simulated PC ([`Port`]), and the devices behind them ([`Pc`]).

use core::marker::PhantomData;

use spin::{Mutex, MutexGuard};

use super::i8042::KeyboardController;
use super::i8259::InterruptControllers;
use super::process::{self, RESET_BY_CHIPSET};
use super::processor::Processor;
use super::timer::Timer;
use super::uart::Uart;

/// The devices, and the processor. A test changes them before it runs the kernel, and looks at them
/// afterwards.
pub(crate) struct Pc {
    pub processor: Processor,
    pub serial: Uart,
    pub keyboard: KeyboardController,
    pub timer: Timer,
    pub interrupts: InterruptControllers,
    /// The screen's controller: the selected register, and all registers.
    pub crtc: (u8, [u8; 32]),
    /// Whether the board has QEMU's device that ends it.
    pub has_debug_exit: bool,
    /// Whether the chipset can reset the machine.
    pub has_reset_control: bool,
    /// Readings in a row that were of no use: neither a write nor a typed byte came between.
    idle: u32,
}

/// The number of such readings that mean the kernel waits for ever.
const PATIENCE: u32 = 100_000;

static PC: Mutex<Pc> = Mutex::new(Pc {
    processor: Processor::new(),
    serial: Uart::new(),
    keyboard: KeyboardController::new(),
    timer: Timer::new(),
    interrupts: InterruptControllers::new(),
    crtc: (0, [0; 32]),
    has_debug_exit: true,
    has_reset_control: true,
    idle: 0,
});

/// The simulated machine.
pub(crate) fn pc() -> MutexGuard<'static, Pc> {
    PC.lock()
}

impl Pc {
    fn read(&mut self, port: u16) -> u32 {
        let now = self.processor.pass_time();
        self.idle = if matches!(port, 0x3F8 | 0x60) { 0 } else { self.idle + 1 };
        assert!(self.idle < PATIENCE, "the kernel waits, and nothing more is typed");
        let byte = match port {
            0x3F8..=0x3FF => self.serial.read(port - 0x3F8),
            0x60 | 0x64 => self.keyboard.read(port),
            0x40 => self.timer.read(),
            0x20 | 0x21 | 0xA0 | 0xA1 => self.interrupts.read(port, self.requests(now)),
            0x3D5 => self.crtc.1[usize::from(self.crtc.0)],
            _ => 0xFF,
        };
        byte.into()
    }

    /// The lines with a request.
    fn requests(&self, now: u64) -> u16 {
        u16::from(self.timer.interrupts(now)) | u16::from(self.serial.interrupts()) << 4
    }

    fn write(&mut self, port: u16, value: u32) {
        let now = self.processor.pass_time();
        self.idle = 0;
        let byte = value as u8;
        match port {
            0x3F8..=0x3FF => self.serial.write(port - 0x3F8, byte),
            0x60 => self.keyboard.write(byte),
            0x64 => self.keyboard.command(byte),
            0x40 | 0x43 => self.timer.write(port, byte, now),
            0x20 | 0x21 | 0xA0 | 0xA1 => self.interrupts.write(port, byte),
            0x3D4 => self.crtc.0 = byte % 32,
            0x3D5 => self.crtc.1[usize::from(self.crtc.0)] = byte,
            0xF4 if self.has_debug_exit => process::end(value as i32 * 2 + 1),
            // A full reset: the reset's kind, and the request.
            0xCF9 if self.has_reset_control && byte == 0b110 => process::end(RESET_BY_CHIPSET),
            _ => {}
        }
    }
}

/// An I/O port, with the functions of the crate `x86_64`'s.
pub(crate) struct Port<T>(u16, PhantomData<T>);

impl<T: Into<u32> + TryFrom<u32>> Port<T> {
    pub(crate) const fn new(number: u16) -> Self {
        Self(number, PhantomData)
    }

    /// Reads the port.
    ///
    /// # Safety
    ///
    /// None is needed here.
    pub(crate) unsafe fn read(&mut self) -> T {
        T::try_from(pc().read(self.0)).unwrap_or_else(|_| unreachable!("devices give bytes"))
    }

    /// Writes to the port.
    ///
    /// # Safety
    ///
    /// None is needed here.
    pub(crate) unsafe fn write(&mut self, value: T) {
        pc().write(self.0, value.into());
    }
}
