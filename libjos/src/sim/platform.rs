//! [`SimPlatform`]: a simulated machine that an application runs on, on the host.
//!
//! It keeps the application's output, and types the lines that a test has prepared. The application's
//! pages are those of a [`SimMachine`]: an unmapped page faults as on real hardware, and the fault goes
//! to the same handlers.
//!
//! ```
//! use libjos::prelude::*;
//! use libjos::println;
//! use libjos::sim::SimPlatform;
//!
//! fn hello() -> Result<(), String> {
//!     let name = read_line("Your name? ").ok_or("nobody is there")?;
//!     println!("Hello, {name}!");
//!     Ok(())
//! }
//!
//! let run = SimPlatform::new().typed(&["Ada"]).run(hello);
//! assert_eq!(run.output, "Your name? Ada\nHello, Ada!\n");
//! assert_eq!(run.code, ExitCode::SUCCESS);
//!
//! let run = SimPlatform::new().run(hello);
//! assert_eq!(run.output, "Your name? ^D\nError: nobody is there\n");
//! assert_eq!(run.code, ExitCode::FAILURE);
//! ```

use core::fmt::{self, Write};
use core::mem::replace;
use core::time::Duration;
use std::boxed::Box;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::string::String;
use std::time::Instant;

use layout::{Jos64, MB};
use spin::Mutex;

use super::SimMachine;
use crate::app::area::Areas;
use crate::app::memory::{HeapUse, Memory};
use crate::app::process::{ExitCode, Termination};
use crate::app::tables::Tables;
use crate::app::{Platform, replace_for_thread, resolve};
use crate::machine::{Fault, Machine};
use crate::mem::addr::VirtAddr;
use crate::mem::pages::PageAllocator;
use crate::paging::format::x86_64::X86_64;
use crate::pmap::{Pmap, mem_init};

/// The description of a machine, and of its user's input. [`run`](Self::run) boots it.
#[derive(Clone, Debug)]
pub struct SimPlatform {
    ram: u64,
    command_line: String,
    typed: VecDeque<String>,
}

/// The result of an application's run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// The console's text: prompts and typed lines too.
    pub output: String,
    /// The exit code.
    pub code: ExitCode,
    /// Frames that the application has not freed.
    pub pages_kept: usize,
}

impl SimPlatform {
    /// A machine with 8 MB of RAM, an empty command line, and nobody at the keyboard.
    #[must_use]
    pub fn new() -> Self {
        Self { ram: 8 * MB, command_line: String::new(), typed: VecDeque::new() }
    }

    /// Sets the size of RAM in bytes.
    #[must_use]
    pub fn ram(self, ram: u64) -> Self {
        Self { ram, ..self }
    }

    /// Sets the application's part of the command line.
    #[must_use]
    pub fn command_line(self, command_line: &str) -> Self {
        Self { command_line: command_line.into(), ..self }
    }

    /// Sets the lines that the user types. After them comes Ctrl-D, the end of input.
    #[must_use]
    pub fn typed(self, lines: &[&str]) -> Self {
        Self { typed: lines.iter().map(|line| (*line).into()).collect(), ..self }
    }

    /// Boots the machine and runs `main` on it, on this thread.
    ///
    /// # Panics
    ///
    /// Panics if `main` panics, or has a fault that no handler resolves.
    pub fn run<T: Termination>(self, main: impl FnOnce() -> T) -> Run {
        let (machine, boot) = SimMachine::new(self.ram);
        let pmap = mem_init(machine, boot);
        let before = pmap.pages().nfree();
        let running = Rc::new(Running {
            pmap: Mutex::new(Whole(pmap)),
            areas: Mutex::new(Areas::new::<Jos64>()),
            output: Mutex::new(String::new()),
            typed: Mutex::new(self.typed),
            command_line: self.command_line,
            began: Instant::now(),
            free_at_exit: Mutex::new(None),
        });
        let outer = replace_for_thread(Some(running.clone()));
        let result = catch_unwind(AssertUnwindSafe(|| main().report()));
        // Handlers may own areas, whose pages go back to this machine.
        let areas = replace(&mut *running.areas.lock(), Areas::new::<Jos64>());
        drop(areas);
        replace_for_thread(outer);
        let code = match result {
            Ok(code) => code,
            Err(payload) => match payload.downcast::<ExitCode>() {
                Ok(code) => *code,
                Err(panic) => resume_unwind(panic),
            },
        };
        let output = running.output.lock().clone();
        let after = running.free_at_exit.lock().unwrap_or_else(|| running.nfree());
        Run { output, code, pages_kept: before - after }
    }
}

impl Default for SimPlatform {
    fn default() -> Self {
        Self::new()
    }
}

/// A memory system and its machine, which can be sent together.
#[derive(Debug)]
struct Whole(Pmap<SimMachine<Jos64, X86_64>>);

#[expect(unsafe_code)]
// SAFETY: the machine and `pages` cannot be sent alone, since both access the same memory. Here they
// are sent together: nothing in this file separates them, and nothing outside can.
unsafe impl Send for Whole {}

/// A machine that an application runs on.
#[derive(Debug)]
struct Running {
    pmap: Mutex<Whole>,
    areas: Mutex<Areas>,
    output: Mutex<String>,
    typed: Mutex<VecDeque<String>>,
    command_line: String,
    began: Instant,
    /// Free frames at the call of `exit`. Here, unlike in the machine, `exit` drops what is on the
    /// stack.
    free_at_exit: Mutex<Option<usize>>,
}

impl Running {
    /// The number of free frames.
    fn nfree(&self) -> usize {
        self.pmap.lock().0.pages().nfree()
    }

    /// Repeats `access` until it succeeds, or has a fault that no handler resolves.
    fn retry<R>(
        &self,
        mut access: impl FnMut(&mut SimMachine<Jos64, X86_64>) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        loop {
            let result = access(self.pmap.lock().0.machine_mut());
            match result {
                Err(fault) if resolve(self, &fault) => {}
                result => return result,
            }
        }
    }
}

/// The address of the word that `va` lies in, and the byte's place in the word, in bits.
fn word(va: VirtAddr) -> (VirtAddr, u64) {
    (VirtAddr::new(va.as_u64() & !7), va.as_u64() % 8 * 8)
}

/// Makes a fault at a word the fault at the byte `va`.
fn at(va: VirtAddr) -> impl Fn(Fault) -> Fault {
    move |fault| Fault { va, ..fault }
}

impl Platform for Running {
    fn print(&self, text: fmt::Arguments<'_>) {
        // The text's own code may print, so nothing is locked while it runs. Writing to a String
        // cannot fail.
        let mut line = String::new();
        let _ = line.write_fmt(text);
        self.output.lock().push_str(&line);
    }

    fn read_line(&self, prompt: &str) -> Option<String> {
        let line = self.typed.lock().pop_front();
        self.print(format_args!("{prompt}{}\n", line.as_deref().unwrap_or("^D")));
        line
    }

    fn command_line(&self) -> &str {
        &self.command_line
    }

    fn uptime(&self) -> Duration {
        self.began.elapsed()
    }

    fn exit(&self, code: ExitCode) -> ! {
        *self.free_at_exit.lock() = Some(self.nfree());
        resume_unwind(Box::new(code))
    }

    fn with_memory(&self, work: &mut dyn FnMut(&mut dyn Memory)) {
        work(&mut self.pmap.lock().0);
    }

    /// The application's heap is the host's, of which this machine knows nothing.
    fn heap_use(&self) -> HeapUse {
        HeapUse::default()
    }

    fn areas(&self) -> &Mutex<Areas> {
        &self.areas
    }

    fn read(&self, va: VirtAddr, bytes: &mut [u8]) {
        for (byte, offset) in bytes.iter_mut().zip(0..) {
            *byte = match self.try_read(va + offset) {
                Ok(byte) => byte,
                Err(fault) => panic!("page fault: read of {}: {fault:?}", fault.va),
            };
        }
    }

    fn write(&self, va: VirtAddr, bytes: &[u8]) {
        for (byte, offset) in bytes.iter().zip(0..) {
            if let Err(fault) = self.try_write(va + offset, *byte) {
                panic!("page fault: write to {}: {fault:?}", fault.va);
            }
        }
    }

    fn try_read(&self, va: VirtAddr) -> Result<u8, Fault> {
        let (word, bits) = word(va);
        self.retry(|machine| machine.probe_load(word).map_err(at(va)))
            .map(|value| (value >> bits) as u8)
    }

    fn try_write(&self, va: VirtAddr, byte: u8) -> Result<(), Fault> {
        let (word, bits) = word(va);
        self.retry(|machine| {
            // A fault of this read counts as the write's.
            let as_write = |fault| Fault { write: true, ..fault };
            let old = machine.probe_load(word).map_err(as_write).map_err(at(va))?;
            let new = old & !(0xFF << bits) | u64::from(byte) << bits;
            machine.probe_store(word, new).map_err(at(va))
        })
    }

    fn tables(&self) -> Tables {
        Tables::of::<Jos64, X86_64>()
    }

    fn read_user(&self, va: VirtAddr) -> Result<u64, Fault> {
        self.pmap.lock().0.machine_mut().user_load(va)
    }
}
