//! Messages between environments: JOS's `ipc.c`.

use crate::env::{Environment, envs, thisenv};
use crate::inc::{EnvId, Error};
use crate::syscall::{sys_ipc_recv, sys_ipc_try_send, sys_yield};

/// An address from UTOP on: no page.
pub const NO_PAGE: usize = usize::MAX;

/// A message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its sender.
    pub from: EnvId,
    /// Its value.
    pub value: usize,
    /// The permissions of the page that came with it; 0 if none came.
    pub perm: u64,
}

impl Message {
    /// The message that the kernel has left for this environment.
    #[must_use]
    pub fn received() -> Self {
        let env = thisenv();
        Self { from: env.ipc_from(), value: env.ipc_value(), perm: env.ipc_perm().into() }
    }
}

/// Waits for a message. No page comes with it.
///
/// # Panics
///
/// If the kernel gives an error.
#[must_use]
pub fn ipc_recv() -> Message {
    recv_nothing().expect("ipc_recv");
    Message::received()
}

#[expect(unsafe_code)]
fn recv_nothing() -> Result<(), Error> {
    // SAFETY: no page is mapped.
    unsafe { sys_ipc_recv(NO_PAGE) }
}

/// Sends a value, as soon as the receiver waits for it. No page goes with it.
///
/// # Panics
///
/// If it cannot be sent for any other reason than that the receiver does not wait.
#[expect(unsafe_code)]
pub fn ipc_send(to: EnvId, value: usize) {
    // SAFETY: no page is shared.
    unsafe { ipc_send_page(to, value, NO_PAGE, 0) };
}

/// Sends a value and the page at `page`, with these permissions, as soon as the receiver waits for it: JOS's `ipc_send`
/// with a page.
///
/// # Panics
///
/// As [`ipc_send`].
///
/// # Safety
///
/// If the receiver may write, no Rust object of the sender's lies in the page, but for what both use together.
#[expect(unsafe_code)]
pub unsafe fn ipc_send_page(to: EnvId, value: usize, page: usize, perm: u64) {
    // SAFETY: the caller's promise.
    while let Err(error) = unsafe { sys_ipc_try_send(to, value, page, perm) } {
        assert!(error == Error::IpcNotRecv, "ipc_send: {error}");
        sys_yield();
    }
}

/// The first environment of the type `env_type`.
#[must_use]
pub fn ipc_find_env(env_type: u32) -> Option<EnvId> {
    envs().find(|env| env.env_type() == env_type).map(Environment::id)
}
