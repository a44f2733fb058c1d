//! The registers of a program, as this processor has them.

use super::frame::TrapFrame;

/// The number by which ELF files name the machine.
pub(in crate::arch) const ELF_MACHINE: u16 = 3;
/// The registers that [`Frame::general`] lists.
pub(in crate::arch) const NGENERAL: usize = 8;
/// The names of the program counter and the stack pointer.
pub(in crate::arch) const POINTERS: [&str; 2] = ["eip", "esp"];

/// Selectors of the user's segments: JOS's.
const USER_CODE: u32 = 0x18 | 3;
const USER_DATA: u32 = 0x20 | 3;

/// The registers of a program: JOS's `struct Trapframe`. The processor pushes two words more than at a trap in the
/// kernel. `x86::program` has its operations.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Frame {
    pub(in crate::arch) trap: TrapFrame,
    esp: u32,
    ss: u32,
}

const _: () = assert!(size_of::<Frame>() == 68);

impl Frame {
    /// A frame with these flags and the user's segments; all other registers are 0.
    pub(in crate::arch) fn with_flags(eflags: u32) -> Self {
        let (es, ds, cs, ss) = (USER_DATA, USER_DATA, USER_CODE, USER_DATA);
        Self { trap: TrapFrame { es, ds, cs, eflags, ..TrapFrame::default() }, esp: 0, ss }
    }

    /// The register of a call's number and result.
    #[inline]
    pub(in crate::arch) fn result(&mut self) -> &mut u32 {
        &mut self.trap.eax
    }

    /// The number of a call, and its arguments.
    #[inline]
    pub(in crate::arch) fn call(&self) -> [u32; 6] {
        let TrapFrame { eax, edx, ecx, ebx, edi, esi, .. } = self.trap;
        [eax, edx, ecx, ebx, edi, esi]
    }

    /// The program counter and the stack pointer.
    pub(in crate::arch) fn pointers(&mut self) -> [&mut u32; 2] {
        [&mut self.trap.eip, &mut self.esp]
    }

    /// The stack pointer, and the stack's segment.
    pub(in crate::arch) fn stack(&self) -> [u32; 2] {
        [self.esp, self.ss]
    }

    /// ES and DS, which a trap saves too.
    pub(in crate::arch) fn segments(&self) -> [(&'static str, u32); 2] {
        [("es", self.trap.es), ("ds", self.trap.ds)]
    }

    /// The words of PUSHAD, in the order of their addresses. Its stack pointer is not the program's.
    pub(in crate::arch) fn general(&self) -> [(&'static str, u32); NGENERAL] {
        let TrapFrame { edi, esi, ebp, esp, ebx, edx, ecx, eax, .. } = self.trap;
        [
            ("edi", edi),
            ("esi", esi),
            ("ebp", ebp),
            ("oesp", esp),
            ("ebx", ebx),
            ("edx", edx),
            ("ecx", ecx),
            ("eax", eax),
        ]
    }
}
