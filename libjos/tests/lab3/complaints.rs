//! The words in which a test complains: the function, what it was called with, what must be there, and what is.

use std::panic::{AssertUnwindSafe, catch_unwind};

use libjos::env::Next;
use libjos::env::abi::Error;
use libjos::mem::addr::PhysAddr;
use libjos::paging::format::Perm;

/// Does `call`. If it panics, returns its words.
fn caught<R>(call: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        said.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without words").into()
    })
}

/// Calls a function of the lab. If it panics, this panics with its name before its words.
pub(crate) fn called<R>(name: &str, call: impl FnOnce() -> R) -> R {
    caught(call).unwrap_or_else(|said| panic!("{name} panics: {said}"))
}

/// Calls a function of the lab that goes on to that of another exercise, whose body may be missing. `None` if it came
/// there and it is.
pub(crate) fn reached<R>(exercise: u32, name: &str, call: impl FnOnce() -> R) -> Option<R> {
    let missing = format!("exercise {exercise}: not yet implemented");
    match caught(call) {
        Ok(result) => Some(result),
        Err(said) if said.contains(&missing) => None,
        Err(said) => panic!("{name} panics: {said}"),
    }
}

/// Does a check of the rig's. If it fails, this panics with `must` before its words.
pub(crate) fn proved(must: &str, check: impl FnOnce()) {
    caught(check).unwrap_or_else(|said| panic!("{must}: {said}"));
}

/// The result of a call, with the name of its error.
pub(crate) fn result(number: i64) -> String {
    let errors = [
        (Error::Unspecified, "E_UNSPECIFIED"),
        (Error::BadEnv, "E_BAD_ENV"),
        (Error::Inval, "E_INVAL"),
        (Error::NoMem, "E_NO_MEM"),
        (Error::NoFreeEnv, "E_NO_FREE_ENV"),
        (Error::Fault, "E_FAULT"),
        (Error::IpcNotRecv, "E_IPC_NOT_RECV"),
        (Error::Eof, "E_EOF"),
    ];
    match errors.into_iter().find(|(error, _)| -(*error as i64) == number) {
        Some((_, name)) => format!("{number} (-{name})"),
        None if number < 10 => number.to_string(),
        None => format!("{number:#x}"),
    }
}

/// A page: where it leads, and who may do what.
pub(crate) fn leads(page: Option<(PhysAddr, Perm)>) -> String {
    page.map_or("nowhere".into(), |(pa, perm)| format!("to {pa} ({perm})"))
}

/// How the kernel goes on.
pub(crate) fn next(next: Next) -> String {
    match next {
        Next::Run(index) => format!("envs[{}] runs", index.number()),
        Next::Breakpoint(index) => {
            format!("the monitor comes, at a breakpoint of envs[{}]", index.number())
        }
        Next::NoneRunnable => "no environment can run".into(),
    }
}
