//! [`TrapFrame`]: the registers at an exception, the stubs that save them, and the function that the
//! stubs call.

use core::arch::global_asm;

use libjos::monitor::processor::{RFLAGS, Register};
use spin::Once;
use x86_64::VirtAddr;
use x86_64::registers::control::Cr2;

/// The registers at an exception, in the order in which the stub (downwards from `error`) and the
/// processor (Intel SDM vol. 3A, 6.14.2) push them. JOS's `struct Trapframe`.
#[derive(Debug)]
#[repr(C)]
#[allow(missing_docs, reason = "each field is the register of its name")]
pub(crate) struct TrapFrame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rbp: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rbx: u64,
    pub rax: u64,
    /// The exception's vector.
    pub vector: u64,
    /// The processor's error code; 0 if the exception has none.
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// Vectors below this are exceptions.
const NEXCEPTIONS: u64 = 32;
/// Exceptions with an error code: bit `n` stands for vector `n` (Intel SDM vol. 3A, table 6-1;
/// AMD APM vol. 2, 8.2 for 29 and 30).
const WITH_ERROR_CODE: u32 = 1 << 8 | 0b11111 << 10 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30;
/// Bytes from one stub to the next.
const STUB_SIZE: u64 = 16;

// Each stub brings the stack to the same form: an error code, then the vector. The processor aligns
// RSP to 16 before it pushes; 22 words later RSP is aligned again, as the ABI requires at a call.
global_asm!(
    ".balign {STUB_SIZE}",
    ".type trap_stubs, @function",
    "trap_stubs:",
    ".set vector, 0",
    ".rept {NEXCEPTIONS}",
    "    .balign {STUB_SIZE}",
    "    .if (({WITH_ERROR_CODE} >> vector) & 1) == 0",
    "    push 0",
    "    .endif",
    "    push vector",
    "    jmp trap_common",
    "    .set vector, vector + 1",
    ".endr",
    ".size trap_stubs, . - trap_stubs",
    "",
    ".type trap_common, @function",
    "trap_common:",
    "    push rax",
    "    push rbx",
    "    push rcx",
    "    push rdx",
    "    push rsi",
    "    push rdi",
    "    push rbp",
    "    push r8",
    "    push r9",
    "    push r10",
    "    push r11",
    "    push r12",
    "    push r13",
    "    push r14",
    "    push r15",
    "    cld",
    "    mov rdi, rsp",
    "    call {trap}",
    "    pop r15",
    "    pop r14",
    "    pop r13",
    "    pop r12",
    "    pop r11",
    "    pop r10",
    "    pop r9",
    "    pop r8",
    "    pop rbp",
    "    pop rdi",
    "    pop rsi",
    "    pop rdx",
    "    pop rcx",
    "    pop rbx",
    "    pop rax",
    "    add rsp, 16", // vector and error code
    "    iretq",
    ".size trap_common, . - trap_common",
    STUB_SIZE = const STUB_SIZE,
    NEXCEPTIONS = const NEXCEPTIONS,
    WITH_ERROR_CODE = const WITH_ERROR_CODE,
    trap = sym trap,
);

const _: () = assert!(size_of::<TrapFrame>().is_multiple_of(16));

/// The address of the stub of `vector`, an exception.
pub(super) fn stub(vector: u64) -> VirtAddr {
    unsafe extern "C" {
        static trap_stubs: u8;
    }
    assert!(vector < NEXCEPTIONS);
    VirtAddr::from_ptr(&raw const trap_stubs) + vector * STUB_SIZE
}

/// An exception.
#[derive(Debug)]
pub(crate) struct Trap<'a> {
    /// The interrupted registers.
    pub(in crate::arch) frame: &'a mut TrapFrame,
    /// CR2 at the exception: the address of the latest page fault. (Handling the trap may change CR2.)
    pub(in crate::arch) cr2: u64,
}

/// Handles a trap. If it returns, the interrupted code continues with the registers in the frame.
pub(super) type Handler = fn(&mut Trap<'_>);

/// The handler of all traps.
pub(super) static HANDLER: Once<Handler> = Once::new();

/// Passes a trap to the handler; every stub calls this.
extern "C" fn trap(frame: &mut TrapFrame) {
    // Read CR2 first, since the handler may cause further page faults.
    let cr2 = Cr2::read_raw();
    let handler = HANDLER.get().expect("the IDT is loaded after the handler is known");
    // A variable, so that gdb's `jos why` finds it.
    let mut trap = Trap { frame, cr2 };
    handler(&mut trap);
}

impl TrapFrame {
    /// The exception's vector.
    pub(in crate::arch) fn vector(&self) -> u64 {
        self.vector
    }

    /// The processor's error code; 0 if the exception has none.
    pub(in crate::arch) fn error(&self) -> u64 {
        self.error
    }

    /// The address of the interrupted instruction.
    pub(in crate::arch) fn instruction(&self) -> u64 {
        self.rip
    }

    /// The frame pointer of the interrupted function.
    pub(in crate::arch) fn frame_pointer(&self) -> u64 {
        self.rbp
    }

    /// The flags, and the register that holds them.
    pub(in crate::arch) fn flags(&self) -> (&'static Register, u64) {
        (&RFLAGS, self.rflags)
    }

    /// The general and segment registers and RIP, with their names.
    pub(in crate::arch) fn registers(&self) -> [(&'static str, u64); 19] {
        [
            ("rax", self.rax),
            ("rbx", self.rbx),
            ("rcx", self.rcx),
            ("rdx", self.rdx),
            ("rsi", self.rsi),
            ("rdi", self.rdi),
            ("rbp", self.rbp),
            ("rsp", self.rsp),
            ("rip", self.rip),
            ("r8", self.r8),
            ("r9", self.r9),
            ("r10", self.r10),
            ("r11", self.r11),
            ("r12", self.r12),
            ("r13", self.r13),
            ("r14", self.r14),
            ("r15", self.r15),
            ("cs", self.cs),
            ("ss", self.ss),
        ]
    }
}
