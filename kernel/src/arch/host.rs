//! The host in place of a machine, so that the portable half compiles and can be tested anywhere.
//!
//! Devices are absent, and the processor is unknown. Functions that need a machine panic, so unsafe
//! functions are harmless here.

/// The machine's memory map.
pub type Layout = layout::Jos64;
/// The format of the machine's page tables.
pub type Format = libjos::paging::format::x86_64::X86_64;

/// The body of a function that needs a machine.
macro_rules! no_machine {
    () => {
        unimplemented!("there is no machine on the host")
    };
}

pub(crate) mod clock {
    pub(crate) fn stated() -> Option<u64> {
        None
    }

    pub(crate) fn nominal() -> Option<u64> {
        None
    }

    pub(crate) fn measured() -> Option<u64> {
        None
    }
}

pub(crate) mod control {
    use libjos::monitor::processor::Register;

    pub(crate) struct ControlRegisters;

    impl ControlRegisters {
        pub(crate) fn read() -> Self {
            Self
        }

        pub(crate) fn all(&self) -> [(&'static Register, u64); 0] {
            []
        }
    }
}

pub(crate) mod cpu {
    use core::fmt;
    use core::sync::atomic::{AtomicU64, Ordering};

    use libjos::mem::addr::{PhysAddr, VirtAddr};

    pub(crate) const DWARF_PC: u8 = 0;

    pub(crate) fn leaf_levels() -> u32 {
        0b011
    }

    pub(crate) fn pgdir_in_use() -> PhysAddr {
        no_machine!()
    }

    pub(crate) unsafe fn lcr3(_pgdir: PhysAddr) {
        no_machine!()
    }

    pub(crate) fn protect_kernel() {}

    pub(crate) fn invlpg(_va: VirtAddr) {}

    pub(crate) fn flush_tlb() {}

    pub(crate) fn stack_pointer() -> VirtAddr {
        no_machine!()
    }

    /// The frame pointer at which backtraces end.
    pub(crate) fn frame_pointer() -> u64 {
        0
    }

    pub(crate) fn saved(frame: u64) -> [u64; 2] {
        [frame, frame.wrapping_add(8)]
    }

    /// A counter that counts its own readings.
    pub(crate) fn counter() -> u64 {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        CALLS.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn describe(_out: &mut dyn fmt::Write) -> fmt::Result {
        Ok(())
    }
}

pub(crate) mod exit {
    pub(crate) const DEVICE: &str = "device to end the host";

    pub(crate) fn end(_status: u32) {}

    pub(crate) fn reset() {}

    pub(crate) fn halt() {
        no_machine!()
    }
}

pub(crate) mod faults {
    use core::sync::atomic::AtomicU8;

    use crate::faults::fault::FaultTest;

    pub(crate) const FAULTS: &[FaultTest] = &[];
    pub(crate) const RESERVED_BIT: u64 = 1 << 51;
    pub(crate) const NO_RAM: u64 = 1 << 39;
    pub(crate) static CODE: AtomicU8 = AtomicU8::new(0);

    pub(crate) fn read(_va: u64) {
        no_machine!()
    }

    pub(crate) fn write(_va: u64) {
        no_machine!()
    }

    pub(crate) unsafe fn execute(_va: u64) {
        no_machine!()
    }

    pub(crate) fn user_access_allowed() -> bool {
        false
    }
}

pub(crate) mod keyboard {
    pub(crate) struct Keyboard;

    impl Keyboard {
        pub(crate) const fn new() -> Self {
            Self
        }

        pub(crate) fn try_read(&mut self, _each: impl FnMut(u8)) -> Option<()> {
            None
        }
    }
}

pub(crate) mod probe {
    use libjos::machine::Fault;

    use super::trap::Trap;

    pub(crate) fn load(_va: u64) -> Result<u64, Fault> {
        no_machine!()
    }

    pub(crate) fn load_word(_va: u64) -> Result<usize, Fault> {
        no_machine!()
    }

    pub(crate) fn load_byte(_va: u64) -> Result<u8, Fault> {
        no_machine!()
    }

    pub(crate) fn load_user(_va: u64) -> Result<u64, Fault> {
        no_machine!()
    }

    pub(crate) unsafe fn store(_va: u64, _value: u64) -> Result<(), Fault> {
        no_machine!()
    }

    pub(crate) unsafe fn store_byte(_va: u64, _value: u8) -> Result<(), Fault> {
        no_machine!()
    }

    pub(crate) unsafe fn copy(_to: u64, _from: u64, _length: usize) {
        no_machine!()
    }

    pub(crate) fn recover(_trap: &mut Trap<'_>) -> bool {
        false
    }
}

pub(crate) mod screen {
    pub(crate) const TEXT_BUFFER: u64 = 0;

    pub(crate) struct Screen;

    impl Screen {
        pub(crate) const fn new() -> Self {
            Self
        }

        pub(crate) fn init(&mut self) {}

        pub(crate) fn write(&mut self, _text: &str) {}

        pub(crate) fn show_cursor(&self) {}
    }
}

pub(crate) mod serial {
    pub(crate) struct Serial;

    impl Serial {
        pub(crate) const fn new() -> Self {
            Self
        }

        pub(crate) fn init(&mut self) {}

        pub(crate) fn send(&mut self, bytes: &[u8]) -> usize {
            bytes.len()
        }

        pub(crate) fn try_read(&mut self) -> Option<u8> {
            None
        }

        pub(crate) fn flush(&mut self) {}
    }
}

pub(crate) mod stack {
    use libjos::mem::addr::VirtAddr;

    pub(crate) fn exception_stacks() -> impl Iterator<Item = (VirtAddr, VirtAddr)> {
        core::iter::empty()
    }

    pub(crate) unsafe extern "C" fn switch(_top: u64, _then: extern "C" fn() -> !) -> ! {
        no_machine!()
    }
}

pub(crate) mod trap {
    use core::fmt;

    use crate::trap::cause::Cause;

    /// A trap that has only a cause.
    #[derive(Debug)]
    pub(crate) struct Trap<'a>(pub(crate) &'a Cause);

    impl Trap<'_> {
        pub(crate) fn cause(&self) -> Cause {
            *self.0
        }

        pub(crate) fn instruction(&self) -> u64 {
            0
        }

        pub(crate) fn frame_pointer(&self) -> u64 {
            0
        }

        pub(crate) fn name(&self) -> &'static str {
            "trap"
        }

        pub(crate) fn write_code(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("simulated")
        }

        pub(crate) fn write_detail(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Ok(())
        }

        pub(crate) fn write_registers(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Ok(())
        }

        pub(crate) fn write_records(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Ok(())
        }
    }

    pub(crate) fn init(_handler: fn(&mut Trap<'_>)) {}
}
