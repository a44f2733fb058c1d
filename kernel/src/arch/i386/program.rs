//! Ring 3: the registers of a program.

use core::fmt;

use libjos::env::abi::UTrapframe;
use libjos::env::frame::TrapFrame as EnvFrame;
use libjos::mem::addr::VirtAddr;
use x86_64::registers::rflags::RFlags;

use super::frame::TrapFrame;
use crate::arch::instructions::Cr2;
use crate::arch::x86::jos::{DEBUG, ErrorWords, name};
use libjos::monitor::processor::vector::PAGE_FAULT;

/// Selectors of the user's segments: JOS's.
const USER_CODE: u32 = 0x18 | 3;
const USER_DATA: u32 = 0x20 | 3;

/// The registers of a program: JOS's `struct Trapframe`. The processor pushes two words more than at a trap in the
/// kernel.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Frame {
    trap: TrapFrame,
    esp: u32,
    ss: u32,
}

const _: () = assert!(size_of::<Frame>() == 68);

impl AsRef<TrapFrame> for Frame {
    fn as_ref(&self) -> &TrapFrame {
        &self.trap
    }
}

// SAFETY: a frame is integers.
unsafe impl EnvFrame for Frame {
    type Word = u32;
    const ELF_MACHINE: u16 = 3;
    type UTrapframe = UTrapframe<8, u32>;

    fn user(entry: VirtAddr, stack: VirtAddr) -> Self {
        Self {
            trap: TrapFrame {
                es: USER_DATA,
                ds: USER_DATA,
                eip: entry.as_u64() as u32,
                cs: USER_CODE,
                eflags: RFlags::INTERRUPT_FLAG.bits() as u32 | 1 << 1,
                ..TrapFrame::default()
            },
            esp: stack.as_u64() as u32,
            ss: USER_DATA,
        }
    }

    #[inline]
    fn number(&self) -> u64 {
        self.trap.eax.into()
    }

    #[inline]
    fn argument(&self, n: usize) -> u64 {
        let TrapFrame { edx, ecx, ebx, edi, esi, .. } = self.trap;
        [edx, ecx, ebx, edi, esi][n].into()
    }

    #[inline]
    fn set_result(&mut self, result: i64) {
        self.trap.eax = result as u32;
    }

    fn pc(&self) -> VirtAddr {
        VirtAddr::new(self.trap.eip.into())
    }

    fn sp(&self) -> VirtAddr {
        VirtAddr::new(self.esp.into())
    }

    fn redirect(&mut self, pc: VirtAddr, sp: VirtAddr) {
        (self.trap.eip, self.esp) = (pc.as_u64() as u32, sp.as_u64() as u32);
    }

    fn utrapframe(&self, fault_va: VirtAddr) -> Self::UTrapframe {
        let TrapFrame { edi, esi, ebp, esp, ebx, edx, ecx, eax, error, eip, eflags, .. } =
            self.trap;
        UTrapframe {
            utf_fault_va: fault_va.as_u64() as u32,
            utf_err: error,
            utf_regs: [edi, esi, ebp, esp, ebx, edx, ecx, eax],
            utf_eip: eip,
            utf_eflags: eflags,
            utf_esp: self.esp,
        }
    }
}

impl Frame {
    /// Makes the program trap after its next instruction, or not.
    pub(crate) fn step(&mut self, on: bool) {
        self.trap.step(on);
    }

    /// Whether the trap is one that [`step`](Self::step) makes.
    pub(crate) fn is_step(&self) -> bool {
        self.trap.vector() == DEBUG
    }
}

/// JOS's lines.
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TrapFrame { edi, esi, ebp, esp, ebx, edx, ecx, eax, es, ds, vector, error, .. } =
            self.trap;
        let general = [
            ("edi", edi),
            ("esi", esi),
            ("ebp", ebp),
            ("oesp", esp),
            ("ebx", ebx),
            ("edx", edx),
            ("ecx", ecx),
            ("eax", eax),
        ];
        for (name, value) in general {
            writeln!(f, "  {name:<4} {value:#010x}")?;
        }
        writeln!(f, "  es   0x----{:04x}", es & 0xFFFF)?;
        writeln!(f, "  ds   0x----{:04x}", ds & 0xFFFF)?;
        writeln!(f, "  trap {vector:#010x} {}", name(vector.into()))?;
        if u64::from(vector) == PAGE_FAULT {
            writeln!(f, "  cr2  {:#010x}", Cr2::read_raw())?;
        }
        let words = ErrorWords { vector: vector.into(), error: error.into() };
        writeln!(f, "  err  {error:#010x}{words}")?;
        writeln!(f, "  eip  {:#010x}", self.trap.eip)?;
        writeln!(f, "  cs   0x----{:04x}", self.trap.cs & 0xFFFF)?;
        writeln!(f, "  flag {:#010x}", self.trap.eflags)?;
        writeln!(f, "  esp  {:#010x}", self.esp)?;
        writeln!(f, "  ss   0x----{:04x}", self.ss & 0xFFFF)
    }
}
