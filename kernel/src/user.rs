//! Programs in user mode: the machine's side of [`libjos::env`].
//!
//! While programs run, interrupts are on and the kernel's stack is for their traps alone. Each trap comes to
//! [`handle`], which lets `libjos` do the kernel's part and goes on with the program that it picks, or leaves the
//! programs: then [`run`] returns.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use layout::PGSIZE;
use libjos::env::abi::EnvId;
use libjos::env::archive::Archive;
use libjos::env::load::LoadError;
use libjos::env::{Cause, EnvConsole, EnvIndex, Envs, Next, Trap};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::kaddr::kaddr;
use libjos::pmap::Pmap;
use spin::Once;

use crate::arch::Layout;
use crate::arch::clock;
use crate::arch::user::{self as machine, Frame};
use crate::boot_info;
use crate::console;
use crate::lock::Lock;
use crate::machine::Hardware;
use crate::pmap;
use crate::symbols;
use crate::trap::cause::Interrupt;

/// Ticks of the timer per second while programs run.
const HZ: u32 = 100;

static ENVS: Shared = Shared(Once::new());
/// What the handlers of traps work with, while programs run: all environments, and the memory system.
static RUNNING: (AtomicPtr<Envs<Frame>>, AtomicPtr<Pmap<Hardware>>) =
    (AtomicPtr::new(ptr::null_mut()), AtomicPtr::new(ptr::null_mut()));
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
        machine::init(handle_call, handle_trap);
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
    // Both locks are held, and interrupts are off in the kernel, until this returns.
    let mut envs = ENVS.0.get().expect("there is a program").lock();
    let mut pmap = pmap::lock();
    let next = envs.sched_yield(&mut pmap);
    if let Next::Run(index) = next {
        machine::allow_floats(true);
        let frame = run_env(&mut envs, &mut pmap, index);
        RUNNING.0.store(&raw mut *envs, Ordering::Relaxed);
        RUNNING.1.store(&raw mut *pmap, Ordering::Relaxed);
        clock::tick(HZ);
        // SAFETY: interrupts are off, and `env_run` has loaded the program's page directory.
        unsafe { machine::run(frame) };
        clock::stop_ticking();
        take_floats(&envs, &pmap);
        machine::allow_floats(false);
    }
    match AT_BREAKPOINT.swap(false, Ordering::Relaxed) {
        true => Stop::Breakpoint,
        false => Stop::NoneRunnable,
    }
}

/// What [`run`] has stored.
///
/// # Safety
///
/// This is a trap of a program: `run` waits and holds the locks. Traps of programs are handled one at a time.
#[inline]
unsafe fn running<'a>() -> (&'a mut Envs<Frame>, &'a mut Pmap<Hardware>) {
    let (envs, pmap) = (&RUNNING.0, &RUNNING.1);
    // SAFETY: the caller's promise.
    unsafe { (&mut *envs.load(Ordering::Relaxed), &mut *pmap.load(Ordering::Relaxed)) }
}

/// Makes `index` the environment that runs; returns its frame.
#[inline]
fn run_env(envs: &mut Envs<Frame>, pmap: &mut Pmap<Hardware>, index: EnvIndex) -> NonNull<Frame> {
    let frame = envs.env_run(pmap, index);
    machine::lend_floats(envs.id(index));
    frame
}

/// Handles a system call of the program that runs, whose registers are in `frame`. Returns the frame to go on with.
extern "C" fn handle_call(frame: NonNull<Frame>, _incoming: usize) -> NonNull<Frame> {
    // SAFETY: a program runs.
    let (envs, pmap) = unsafe { running() };
    match envs.syscall(pmap, &mut Console) {
        None => frame,
        Some(next) => go_on(envs, pmap, next),
    }
}

/// Handles any other trap of the program that runs, whose registers are in `frame` and were at `incoming` before. Returns
/// the frame to go on with.
extern "C" fn handle_trap(frame: NonNull<Frame>, incoming: usize) -> NonNull<Frame> {
    // SAFETY: a program runs.
    let (envs, pmap) = unsafe { running() };
    // SAFETY: the frame of the program that runs, and no method of `envs` does.
    let registers = unsafe { frame.as_ref() };
    let (cause, interrupt) = machine::cause(registers);
    if interrupt == Some(Interrupt::Typed) {
        console::take_typed();
    }
    let next = match envs.curenv() {
        Some(index) if cause == Cause::Exception && machine::wants_floats(registers) => {
            give_floats(envs, pmap, index)
        }
        _ => {
            let incoming = VirtAddr::new(incoming as u64);
            envs.trap_dispatch(pmap, &mut Console, Trap { cause, incoming })
        }
    };
    match next {
        Next::Run(index) if envs.is_running(index) => frame,
        next => go_on(envs, pmap, next),
    }
}

/// Goes on with an environment, or leaves them all: then [`run`] returns.
fn go_on(envs: &mut Envs<Frame>, pmap: &mut Pmap<Hardware>, next: Next) -> NonNull<Frame> {
    match next {
        Next::Run(index) => return run_env(envs, pmap, index),
        Next::Breakpoint(_) => {
            pmap.switchkvm();
            AT_BREAKPOINT.store(true, Ordering::Relaxed);
        }
        Next::NoneRunnable => {}
    }
    // SAFETY: `run` waits.
    unsafe { machine::leave() }
}

/// Gives an environment the registers for floating-point numbers. Without memory to save them in, it ends.
fn give_floats(envs: &mut Envs<Frame>, pmap: &mut Pmap<Hardware>, index: EnvIndex) -> Next {
    take_floats(envs, pmap);
    let id = envs.id(index);
    if let Some((frame, new)) = envs.machine_frame(pmap, index) {
        machine::give_floats(id, shown(frame), new);
        return Next::Run(index);
    }
    println!("[{id}] out of memory: no page to save its floating-point numbers in");
    envs.env_destroy(pmap, index);
    envs.sched_yield(pmap)
}

/// Saves the registers for floating-point numbers of the environment that has them.
fn take_floats(envs: &Envs<Frame>, pmap: &Pmap<Hardware>) {
    machine::take_floats(|id: EnvId| envs.machine_frame_of(pmap, id).map(shown));
}

/// Where the kernel sees a frame of the machine's.
fn shown(frame: PhysAddr) -> VirtAddr {
    kaddr::<Layout>(frame, PGSIZE).expect("a window shows every frame")
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
