//! Programs in user mode: the machine's side of [`libjos::env`].
//!
//! While programs run, interrupts are on and the kernel's stack is for their traps alone. Each trap comes to
//! [`handle`], which lets `libjos` do the kernel's part and goes on with the program that it picks, or leaves the
//! programs: then [`run`] returns.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};

use libjos::env::archive::Archive;
use libjos::env::load::LoadError;
use libjos::env::{self, Cause, EnvConsole, EnvIndex, Envs, Next};
use libjos::mem::addr::VirtAddr;
use libjos::mem::kaddr::kaddr;
use libjos::pmap::Pmap;
use spin::Once;

use crate::arch::Layout;
use crate::arch::clock;
use crate::arch::user::{self as machine, Frame};
use crate::boot_info;
use crate::console;
use crate::lock::{Lock, interrupts_off};
use crate::machine::Hardware;
use crate::pmap;
use crate::symbols;
use crate::trap::cause::Interrupt;

/// Ticks of the timer per second while programs run.
const HZ: u32 = 100;

static ENVS: Shared = Shared(Once::new());
/// Whether programs were left at a breakpoint.
static AT_BREAKPOINT: AtomicBool = AtomicBool::new(false);

/// All environments, made at the first use.
struct Shared(Once<Lock<Envs<Frame>>>);

// SAFETY: one processor runs the kernel, and there are no threads, so nothing uses them concurrently.
unsafe impl Sync for Shared {}

/// Why no program runs any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// The program that ran has reached a breakpoint.
    Breakpoint,
    /// No program can run.
    NoneRunnable,
}

/// Makes an environment of the program `name`, and prints why if that fails.
pub(crate) fn create(name: &str) -> bool {
    match find(name) {
        Some(binary) => match load(binary) {
            Ok(()) => return true,
            Err(error) => println!("{name} cannot be run: {error}"),
        },
        None => println!("there is no program \"{name}\""),
    }
    false
}

/// Makes an environment of the program `binary`.
fn load(binary: &[u8]) -> Result<(), LoadError> {
    let envs = ENVS.0.try_call_once(|| {
        machine::init(handle);
        Envs::env_init(&mut pmap::lock()).map(Lock::new).map_err(|_| LoadError::NoMemory)
    })?;
    envs.lock().env_create(&mut pmap::lock(), binary).map(|_| ())
}

/// The program with this name: a module of the loader's, or in an archive that is one, or in that of the image.
fn find(name: &str) -> Option<&'static [u8]> {
    let modules = boot_info::get().reserved().filter(|part| part.name == "module");
    let modules = modules.filter_map(|module| {
        let size = module.range.size();
        // (A module that no window shows is passed over.)
        kaddr::<Layout>(module.range.start, size)?;
        let file = crate::machine::kaddr::<u8>(module.range.start, size);
        // SAFETY: RAM that a window shows for good, and that no allocator hands out (`boot_info::for_mem_init`).
        Some(unsafe { core::slice::from_raw_parts(file, size as usize) })
    });
    let in_module = |file: &'static [u8]| {
        if file.starts_with(b"\x7fELF") {
            return Some(file);
        }
        Archive::new(file).ok()?.find(name)
    };
    modules
        .filter_map(in_module)
        .next()
        .or_else(|| Archive::new(symbols::programs()).ok()?.find(name))
}

/// Runs programs until none can run, or one has reached a breakpoint.
pub(crate) fn run() -> Stop {
    let _off = interrupts_off();
    let envs = ENVS.0.get().expect("there is a program");
    let next = envs.lock().sched_yield(&mut pmap::lock());
    if let Next::Run(index) = next {
        let frame = go_on(&mut envs.lock(), &mut pmap::lock(), index);
        machine::allow_floats(true);
        clock::tick(HZ);
        // SAFETY: interrupts are off, and `env_run` has loaded the program's page directory.
        unsafe { machine::run(frame) };
        clock::stop_ticking();
        machine::take_floats();
        machine::allow_floats(false);
    }
    match AT_BREAKPOINT.swap(false, Ordering::Relaxed) {
        true => Stop::Breakpoint,
        false => Stop::NoneRunnable,
    }
}

/// Makes `index` the environment that runs; returns its frame.
fn go_on(envs: &mut Envs<Frame>, pmap: &mut Pmap<Hardware>, index: EnvIndex) -> NonNull<Frame> {
    let frame = envs.env_run(pmap, index);
    machine::lend_floats(envs.env(index).env_id);
    frame
}

/// Handles a trap of a program.
fn handle(frame: &mut Frame, (cause, interrupt): (Cause, Option<Interrupt>)) -> NonNull<Frame> {
    if interrupt == Some(Interrupt::Typed) {
        console::take_typed();
    }
    let mut envs = ENVS.0.get().expect("a program runs").lock();
    let mut pmap = pmap::lock();
    if let Some(index) = envs.curenv() {
        envs.set_frame(index, *frame);
    }
    if let Some(index) = envs.curenv()
        && machine::wants_floats(frame)
    {
        machine::give_floats(envs.env(index).env_id);
        return envs.frame(index);
    }
    let incoming = VirtAddr::new((&raw const *frame).addr() as u64);
    let next = envs.trap_dispatch(&mut pmap, &mut Console, env::Trap { cause, incoming });
    match next {
        Next::Run(index) => return go_on(&mut envs, &mut pmap, index),
        Next::Breakpoint(_) => {
            pmap.switchkvm();
            AT_BREAKPOINT.store(true, Ordering::Relaxed);
        }
        Next::NoneRunnable => {}
    }
    drop((pmap, envs));
    // SAFETY: `run` waits, and no lock is held.
    unsafe { machine::leave() }
}

/// The console, for programs.
struct Console;

impl EnvConsole for Console {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.utf8_chunks() {
            print!("{}", chunk.valid());
            chunk.invalid().iter().for_each(|_| print!("{}", char::REPLACEMENT_CHARACTER));
        }
    }

    fn cgetc(&mut self) -> Option<u8> {
        console::try_read().map(|(byte, _)| byte)
    }
}

#[cfg(test)]
mod tests;
