//! Instructions that a program may not use, on i386 and x86-64. At each, the kernel must end the program.

use core::arch::asm;

/// An instruction, and its text.
pub type Instruction = (&'static str, fn());

/// Lists instructions, each with the operands of `asm!`.
macro_rules! instructions {
    ($([$text:literal $($operands:tt)*])*) => {
        &[$(($text, || {
            // SAFETY: the kernel ends the program here. If it does not, the program's test has failed, whatever comes then.
            unsafe { asm!($text $($operands)*) }
        })),*]
    };
}
pub(super) use instructions;

/// An address in the program, for descriptor tables.
const TABLE: usize = crate::UTEXT;

/// Privileged instructions, instructions on ports, and undefined ones.
pub const PRIVILEGED: &[Instruction] = instructions![
    ["hlt"]
    ["cli"]
    ["sti"]
    ["clts"]
    ["invd"]
    ["wbinvd"]
    ["invlpg [{}]", in(reg) 0_usize]
    ["lgdt [{}]", in(reg) TABLE]
    ["lidt [{}]", in(reg) TABLE]
    ["lldt {:x}", in(reg) 0_u16]
    ["ltr {:x}", in(reg) 0x28_u16]
    ["lmsw {:x}", in(reg) 0_u16]
    ["mov {}, cr0", out(reg) _]
    ["mov {}, cr2", out(reg) _]
    ["mov {}, cr3", out(reg) _]
    ["mov {}, cr4", out(reg) _]
    ["mov cr0, {}", in(reg) 0_usize]
    ["mov cr2, {}", in(reg) 0_usize]
    ["mov cr3, {}", in(reg) 0_usize]
    ["mov cr4, {}", in(reg) 0_usize]
    ["mov {}, dr0", out(reg) _]
    ["mov {}, dr7", out(reg) _]
    ["mov dr0, {}", in(reg) 0_usize]
    ["mov dr7, {}", in(reg) 0_usize]
    ["mov {}, dr3", out(reg) _]
    ["mov dr3, {}", in(reg) 0_usize]
    ["mov {}, dr6", out(reg) _]
    ["mov dr6, {}", in(reg) 0_usize]
    ["rdmsr", in("ecx") 0xC000_0080_u32, out("eax") _, out("edx") _]
    ["wrmsr", in("ecx") 0xC000_0080_u32, in("eax") 0, in("edx") 0]
    ["rdpmc", in("ecx") 0, out("eax") _, out("edx") _]
    ["xsetbv", in("ecx") 0, in("eax") 0, in("edx") 0]
    ["in al, 0x60", out("eax") _]
    ["in eax, dx", in("edx") 0x3F8, out("eax") _]
    ["out 0x80, al", in("eax") 0]
    ["out dx, al", in("edx") 0x3F8, in("eax") 0]
    ["in ax, dx", in("edx") 0x1F0, out("eax") _]
    ["out dx, eax", in("edx") 0xCF8, in("eax") 0]
    ["insb", in("edx") 0x3F8, inout("edi") TABLE as u32 => _]
    ["insw", in("edx") 0x1F0, inout("edi") TABLE as u32 => _]
    ["insd", in("edx") 0x1F0, inout("edi") TABLE as u32 => _]
    [".byte 0x6E", in("edx") 0x3F8] // outsb
    [".byte 0x66, 0x6F", in("edx") 0x3F8] // outsw
    [".byte 0x6F", in("edx") 0x3F8] // outsd
    ["sysenter"]
    ["sysexit", in("ecx") 0, in("edx") 0]
    ["sysret", in("ecx") 0]
    ["rsm"]
    // A processor that lacks one of these finds it undefined.
    [".byte 0x0F, 0x01, 0xC8", in("ecx") 0, in("edx") 0] // monitor
    [".byte 0x0F, 0x01, 0xC9", in("ecx") 0] // mwait
    [".byte 0x0F, 0x01, 0xCA"] // clac
    [".byte 0x0F, 0x01, 0xCB"] // stac
    [".byte 0x0F, 0x01, 0xD8"] // vmrun
    [".byte 0x0F, 0x01, 0xDC"] // stgi
    [".byte 0x0F, 0x01, 0xDD"] // clgi
    [".byte 0x0F, 0x01, 0xC1"] // vmcall
    ["ud2"]
    [".byte 0xF1"] // int1
    ["lock nop"]
];
