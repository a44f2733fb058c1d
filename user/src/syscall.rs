//! The system calls, 0 to 12. `EnvId` 0 is the caller. Permissions are those of an entry
//! ([`PTE_P`](crate::inc::PTE_P) and so on).
//!
//! A call that changes a mapping is unsafe: the caller promises that no Rust object of the environment concerned lies
//! in the pages that go, and that a page becomes writable, or shared, only where none suffers from it.

use crate::arch;
use crate::inc::{self, EnvId, Error, call};

/// Makes any call, with any arguments; returns the kernel's result.
///
/// # Safety
///
/// See the file's introduction.
#[must_use]
#[inline(always)]
pub unsafe fn syscall(number: u64, arguments: [usize; 5]) -> isize {
    let [a1, a2, a3, a4, a5] = arguments;
    // SAFETY: the caller's promise.
    unsafe { arch::syscall(number as usize, a1, a2, a3, a4, a5) }
}

/// A call that gives an error or a value.
///
/// # Safety
///
/// See the file's introduction.
#[inline(always)]
unsafe fn checked(number: u64, arguments: [usize; 5]) -> Result<usize, Error> {
    // SAFETY: the caller's promise.
    let result = unsafe { syscall(number, arguments) };
    usize::try_from(result).map_err(|_| inc::error(result))
}

/// Prints bytes on the console.
pub fn sys_cputs(bytes: &[u8]) {
    // SAFETY: the call only reads the bytes of a slice.
    let _ = unsafe { checked(call::CPUTS, [bytes.as_ptr() as usize, bytes.len(), 0, 0, 0]) };
}

/// The next byte of the console's input; 0 if there is none.
#[must_use]
pub fn sys_cgetc() -> u8 {
    // SAFETY: changes no memory of the caller's.
    unsafe { checked(call::CGETC, [0; 5]) }.unwrap_or(0) as u8
}

/// The caller's id.
#[must_use]
pub fn sys_getenvid() -> EnvId {
    // SAFETY: changes no memory.
    EnvId(unsafe { syscall(call::GETENVID, [0; 5]) } as i32)
}

/// Ends an environment: the caller or a child of its.
///
/// # Errors
///
/// [`Error::BadEnv`].
pub fn sys_env_destroy(id: EnvId) -> Result<(), Error> {
    // SAFETY: changes no memory of an environment that goes on.
    unsafe { checked(call::ENV_DESTROY, [id.0 as usize, 0, 0, 0, 0]) }.map(drop)
}

/// Lets the other environments run first.
pub fn sys_yield() {
    // SAFETY: changes no memory.
    let _ = unsafe { checked(call::YIELD, [0; 5]) };
}

/// Maps a zeroed page at `va`, in place of what is there.
///
/// # Errors
///
/// [`Error::BadEnv`], [`Error::Inval`], [`Error::NoMem`].
///
/// # Safety
///
/// See the file's introduction.
pub unsafe fn sys_page_alloc(id: EnvId, va: usize, perm: u64) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    unsafe { checked(call::PAGE_ALLOC, [id.0 as usize, va, perm as usize, 0, 0]) }.map(drop)
}

/// Maps the page at `source` a second time, at `destination`, in place of what is there.
///
/// # Errors
///
/// [`Error::BadEnv`], [`Error::Inval`], [`Error::NoMem`].
///
/// # Safety
///
/// See the file's introduction.
pub unsafe fn sys_page_map(
    source: (EnvId, usize),
    destination: (EnvId, usize),
    perm: u64,
) -> Result<(), Error> {
    let arguments =
        [source.0.0 as usize, source.1, destination.0.0 as usize, destination.1, perm as usize];
    // SAFETY: the caller's promise.
    unsafe { checked(call::PAGE_MAP, arguments) }.map(drop)
}

/// Unmaps the page at `va`, if there is one.
///
/// # Errors
///
/// [`Error::BadEnv`], [`Error::Inval`].
///
/// # Safety
///
/// See the file's introduction.
pub unsafe fn sys_page_unmap(id: EnvId, va: usize) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    unsafe { checked(call::PAGE_UNMAP, [id.0 as usize, va, 0, 0, 0]) }.map(drop)
}

/// Makes a child, with no memory below UTOP and not started. `copy` gets its id, gives it memory and starts it.
/// Returns 0 in the child, and elsewhere the result of `copy`.
///
/// # Errors
///
/// [`Error::NoFreeEnv`], [`Error::NoMem`], and those of `copy`: the kernel's number, negated.
pub fn sys_exofork(copy: extern "C" fn(EnvId) -> isize) -> Result<EnvId, Error> {
    let result = arch::exofork(copy);
    if result < 0 { Err(inc::error(result)) } else { Ok(EnvId(result as i32)) }
}

/// Lets a child run, or stops it: [`ENV_RUNNABLE`](crate::inc::ENV_RUNNABLE) or
/// [`ENV_NOT_RUNNABLE`](crate::inc::ENV_NOT_RUNNABLE).
///
/// # Errors
///
/// [`Error::BadEnv`], [`Error::Inval`].
pub fn sys_env_set_status(id: EnvId, status: u32) -> Result<(), Error> {
    // SAFETY: changes no memory.
    unsafe { checked(call::ENV_SET_STATUS, [id.0 as usize, status as usize, 0, 0, 0]) }.map(drop)
}

/// Sets the function that the kernel calls at page faults.
///
/// # Errors
///
/// [`Error::BadEnv`].
///
/// # Safety
///
/// `upcall` returns as the kernel's interface asks, or not at all.
pub unsafe fn sys_env_set_pgfault_upcall(id: EnvId, upcall: usize) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    unsafe { checked(call::ENV_SET_PGFAULT_UPCALL, [id.0 as usize, upcall, 0, 0, 0]) }.map(drop)
}

/// Sends a value, and if `page` is below UTOP that page too, to an environment that waits for it.
///
/// # Errors
///
/// [`Error::IpcNotRecv`], [`Error::BadEnv`], [`Error::Inval`], [`Error::NoMem`].
///
/// # Safety
///
/// See the file's introduction. (The receiver has given its leave.)
pub unsafe fn sys_ipc_try_send(
    id: EnvId,
    value: usize,
    page: usize,
    perm: u64,
) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    unsafe { checked(call::IPC_TRY_SEND, [id.0 as usize, value, page, perm as usize, 0]) }.map(drop)
}

/// Waits for a message. If `page` is below UTOP, the sender may map a page there.
///
/// # Errors
///
/// [`Error::Inval`].
///
/// # Safety
///
/// See the file's introduction.
pub unsafe fn sys_ipc_recv(page: usize) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    unsafe { checked(call::IPC_RECV, [page, 0, 0, 0, 0]) }.map(drop)
}
