//! Trials: deeds that may end the environment that does them. A child does each.
//!
//! After the last trial, the parent checks that all frames have come back. It is still there to do so, whatever its
//! children did.

use core::fmt::{Arguments, Display};

use crate::dumbfork::dumbfork;
use crate::env::Environment;
use crate::fork::Fork;
use crate::inc::{ENV_NOT_RUNNABLE, ENV_RUNNABLE, ENV_RUNNING, EnvId};
use crate::syscall::{sys_env_destroy, sys_env_set_status, sys_yield};
use crate::{pages, start};

/// The trials of a program.
#[derive(Debug)]
pub struct Trials {
    done: usize,
    failed: usize,
    /// Frames in use between trials.
    in_use: usize,
}

impl Default for Trials {
    fn default() -> Self {
        Self::new()
    }
}

impl Trials {
    /// No trial yet.
    ///
    /// # Panics
    ///
    /// If not even doing nothing comes through.
    #[must_use]
    pub fn new() -> Self {
        // The first child leaves a page table behind here, for UTEMP.
        let (_, came_through) = child(|| {});
        assert!(came_through, "a child that does nothing has ended");
        Self { done: 0, failed: 0, in_use: pages::in_use() }
    }

    /// A deed by which the kernel must end the child. Returns the child's slot, which has its last registers.
    pub fn ends(&mut self, what: impl Display, deed: impl FnOnce()) -> Environment {
        let (child, came_through) = child(deed);
        self.count(!came_through, format_args!("{what}: went unpunished"));
        child
    }

    /// A deed that the child must survive.
    pub fn passes(&mut self, what: impl Display, deed: impl FnOnce()) {
        let (_, came_through) = child(deed);
        self.count(came_through, format_args!("{what}: was the end"));
    }

    /// A deed that may end either way.
    pub fn tries(&mut self, deed: impl FnOnce()) {
        child(deed);
        self.done += 1;
    }

    /// A fact that must hold.
    pub fn holds(&mut self, holds: bool, what: impl Display) {
        self.count(holds, format_args!("{what}"));
    }

    fn count(&mut self, is_good: bool, complaint: Arguments<'_>) {
        self.done += 1;
        if !is_good {
            self.failed += 1;
            crate::cprintf!("FAILED: {complaint}\n");
        }
    }

    /// Says how it went.
    pub fn end(self) {
        let (name, Self { done, failed, in_use }) = (start::binaryname(), self);
        let now = pages::in_use();
        if failed != 0 {
            crate::cprintf!("{name}: {failed} of {done} trials FAILED\n");
        }
        if now != in_use {
            crate::cprintf!("{name}: FAILED: {in_use} pages were in use, and now {now} are\n");
        }
        if failed == 0 && now == in_use {
            crate::cprintf!("{name}: {done} trials went as they must, and every page is back\n");
        }
    }
}

/// Has a child do a deed; returns its slot, and whether it came through.
fn child(deed: impl FnOnce()) -> (Environment, bool) {
    match dumbfork().unwrap_or_else(|error| panic!("dumbfork: {error}")) {
        Fork::Child => {
            deed();
            // This says so. It is stopped, until its parent ends it.
            let _ = sys_env_set_status(EnvId::NONE, ENV_NOT_RUNNABLE);
            unreachable!("this environment is stopped");
        }
        Fork::Parent(id) => {
            let env = Environment::of(id);
            loop {
                let (status, now) = (env.status(), env.id());
                if now != id || ![ENV_RUNNABLE, ENV_RUNNING, ENV_NOT_RUNNABLE].contains(&status) {
                    return (env, false);
                }
                if status == ENV_NOT_RUNNABLE {
                    let _ = sys_env_destroy(id);
                    return (env, true);
                }
                sys_yield();
            }
        }
    }
}
