//! The facts that the kernel and its programs share, as JOS's `inc/env.h`, `inc/error.h`, `inc/syscall.h` and
//! `inc/trap.h` have them.
//!
//! Numbers are the same on all machines. Nothing here needs a kernel: programs use this file, too.

use core::{array, fmt};

/// How many environments there can be.
pub const NENV: usize = 1 << LOG2NENV;
/// The bits of an id that are the index of the environment in `envs`.
pub const LOG2NENV: u32 = 10;
/// The lowest bit of an id's generation. The bits between it and the index are 0.
pub const ENVGENSHIFT: u32 = 12;

/// The id of an environment: its generation << 12, plus its index in `envs`. In a call, 0 means the caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct EnvId(pub i32);

impl EnvId {
    /// No environment; in a call, the caller.
    pub const NONE: Self = Self(0);

    /// The index in `envs` (JOS's `ENVX`).
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize & (NENV - 1)
    }
}

/// Eight hexadecimal digits, as JOS prints ids: in one piece, since the kernel prints them all the time.
impl fmt::Display for EnvId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |i| b"0123456789abcdef"[self.0 as usize >> (28 - 4 * i) & 0xF];
        f.write_str(str::from_utf8(&array::from_fn::<u8, 8, _>(digit)).unwrap_or_default())
    }
}

/// `env_status`: the slot is free.
pub const ENV_FREE: u32 = 0;
/// `env_status`: destroyed while it runs on another processor.
pub const ENV_DYING: u32 = 1;
/// `env_status`: waiting for its turn.
pub const ENV_RUNNABLE: u32 = 2;
/// `env_status`: running.
pub const ENV_RUNNING: u32 = 3;
/// `env_status`: waiting for something else.
pub const ENV_NOT_RUNNABLE: u32 = 4;

/// `env_type` of every program.
pub const ENV_TYPE_USER: u32 = 0;

/// JOS's `struct Env`, which programs read at UENVS. `F` is the machine's trap frame, `W` its word.
///
/// Every pattern of bits is a value.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Env<F, W> {
    /// The registers, as they were at the last trap.
    pub env_tf: F,
    /// Unused. JOS keeps its free list here.
    pub env_link: W,
    /// The id; of a free slot, the last one.
    pub env_id: EnvId,
    /// The id of the environment that made this one, or 0.
    pub env_parent_id: EnvId,
    /// [`ENV_TYPE_USER`].
    pub env_type: u32,
    /// [`ENV_FREE`] and so on.
    pub env_status: u32,
    /// How often it was switched to.
    pub env_runs: u32,
    /// The processor that it runs on.
    pub env_cpunum: u32,
    /// The kernel's address of its page directory.
    pub env_pgdir: W,
    /// The address that page faults are handed to, or 0.
    pub env_pgfault_upcall: W,
    /// 1 while it waits for a message. (One byte; the others are 0.)
    pub env_ipc_recving: u32,
    /// Where it wants a page to be mapped that comes with a message; none if not below UTOP.
    pub env_ipc_dstva: W,
    /// The value of the last message.
    pub env_ipc_value: W,
    /// The sender of the last message.
    pub env_ipc_from: EnvId,
    /// The permissions of the page that came with the last message; 0 if none did.
    pub env_ipc_perm: u32,
}

// JOS's layout.
const _: () = {
    type Jos = Env<[u32; 17], u32>;
    assert!(size_of::<Jos>() == 124);
    assert!(core::mem::offset_of!(Jos, env_link) == 68);
    assert!(core::mem::offset_of!(Jos, env_id) == 72);
    assert!(core::mem::offset_of!(Jos, env_parent_id) == 76);
    assert!(core::mem::offset_of!(Jos, env_type) == 80);
    assert!(core::mem::offset_of!(Jos, env_status) == 84);
    assert!(core::mem::offset_of!(Jos, env_runs) == 88);
    assert!(core::mem::offset_of!(Jos, env_cpunum) == 92);
    assert!(core::mem::offset_of!(Jos, env_pgdir) == 96);
    assert!(core::mem::offset_of!(Jos, env_pgfault_upcall) == 100);
    assert!(core::mem::offset_of!(Jos, env_ipc_recving) == 104);
    assert!(core::mem::offset_of!(Jos, env_ipc_dstva) == 108);
    assert!(core::mem::offset_of!(Jos, env_ipc_value) == 112);
    assert!(core::mem::offset_of!(Jos, env_ipc_from) == 116);
    assert!(core::mem::offset_of!(Jos, env_ipc_perm) == 120);
};

/// JOS's `struct UTrapframe`: what a program's own handler of page faults is given, on the exception stack. `N`
/// general registers, in the machine's order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct UTrapframe<const N: usize, W> {
    /// The address that was accessed.
    pub utf_fault_va: W,
    /// The processor's error code, such as [`FEC_WR`].
    pub utf_err: W,
    /// The general registers.
    pub utf_regs: [W; N],
    /// The program counter.
    pub utf_eip: W,
    /// The flags.
    pub utf_eflags: W,
    /// The stack pointer.
    pub utf_esp: W,
}

// JOS's layout.
const _: () = {
    type Jos = UTrapframe<8, u32>;
    assert!(size_of::<Jos>() == 52);
    assert!(core::mem::offset_of!(Jos, utf_regs) == 8);
    assert!(core::mem::offset_of!(Jos, utf_eip) == 40);
    assert!(core::mem::offset_of!(Jos, utf_esp) == 48);
};

/// In the error code of a page fault: the page was present, and permissions forbade the access.
pub const FEC_PR: u64 = 0x1;
/// In the error code of a page fault: the access was a write.
pub const FEC_WR: u64 = 0x2;
/// In the error code of a page fault: the access was a program's.
pub const FEC_U: u64 = 0x4;

/// The numbers of the calls. A call's arguments are listed in brackets.
pub mod call {
    /// Prints bytes (address, length).
    pub const CPUTS: u64 = 0;
    /// Takes a byte that was typed; the result is 0 if there is none.
    pub const CGETC: u64 = 1;
    /// Returns the caller's id.
    pub const GETENVID: u64 = 2;
    /// Ends an environment (id).
    pub const ENV_DESTROY: u64 = 3;
    /// Maps a page of zeros (id, address, permissions).
    pub const PAGE_ALLOC: u64 = 4;
    /// Maps a page of one environment in another (the source's id and address, the target's id and address,
    /// permissions).
    pub const PAGE_MAP: u64 = 5;
    /// Unmaps a page (id, address).
    pub const PAGE_UNMAP: u64 = 6;
    /// Makes a child with the caller's registers and without memory.
    pub const EXOFORK: u64 = 7;
    /// Sets an environment's status (id, status).
    pub const ENV_SET_STATUS: u64 = 8;
    /// Sets the address that page faults are handed to (id, address).
    pub const ENV_SET_PGFAULT_UPCALL: u64 = 9;
    /// Gives way to another environment.
    pub const YIELD: u64 = 10;
    /// Sends a message, if the receiver waits for one (id, value, address of a page, permissions).
    pub const IPC_TRY_SEND: u64 = 11;
    /// Waits for a message (address for a page).
    pub const IPC_RECV: u64 = 12;
}

/// Why a call failed. The caller sees the number, negated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum Error {
    /// None of the others.
    Unspecified = 1,
    /// There is no such environment, or the caller may not change it.
    BadEnv = 2,
    /// An argument is invalid, or there is no such call.
    Inval = 3,
    /// There is no free memory.
    NoMem = 4,
    /// There are as many environments as there can be.
    NoFreeEnv = 5,
    /// The program may not access that memory.
    Fault = 6,
    /// The receiver does not wait for a message.
    IpcNotRecv = 7,
    /// Unexpected end of a file.
    Eof = 8,
}

/// JOS's words.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified error",
            Self::BadEnv => "bad environment",
            Self::Inval => "invalid parameter",
            Self::NoMem => "out of memory",
            Self::NoFreeEnv => "out of environments",
            Self::Fault => "segmentation fault",
            Self::IpcNotRecv => "env is not recving",
            Self::Eof => "unexpected end of file",
        })
    }
}

impl core::error::Error for Error {}

/// A permission in a call: the page is present. Must be asked for.
pub const PTE_P: u64 = 0x001;
/// A permission in a call: the page can be written.
pub const PTE_W: u64 = 0x002;
/// A permission in a call: the page is the program's. Must be asked for.
pub const PTE_U: u64 = 0x004;
/// The bits of an entry that are the program's own, where the machine has them.
pub const PTE_AVAIL: u64 = 0xE00;
