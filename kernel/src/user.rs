//! Programs in user mode: the machine's side of [`libjos::env`].
//!
//! While programs run, interrupts are on and the kernel's stack is for their traps alone. Each trap comes to
//! [`handle_call`] or [`handle_trap`], which lets `libjos` do the kernel's part and goes on with the program that it
//! picks, or leaves the programs: then [`run`] returns.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

use layout::PGSIZE;
use libjos::env::abi::{ENV_RUNNABLE, EnvId};
use libjos::env::load::LoadError;
use libjos::env::record::Name;
use libjos::env::{Cause, EnvConsole, EnvIndex, Envs, Next, Trap, TrapFrame};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::kaddr::kaddr;
use libjos::mem::pages::PageAllocator;
use libjos::pmap::Pmap;
use libjos::space::AddressSpace;
use spin::{Mutex, Once};

use crate::application;
use crate::arch::Layout;
use crate::arch::clock;
use crate::arch::user::{self as machine, Frame};
use crate::console::{self, Unread};
use crate::lock::{Lock, LockGuard};
use crate::machine::Hardware;
use crate::panic;
use crate::pmap;

/// Ticks of the timer per second while programs run.
const HZ: u32 = 100;

static ENVS: Shared = Shared(Once::new());
/// All environments and the memory system, for the handlers of traps while programs run.
static RUNNING: (AtomicPtr<Envs<Frame>>, AtomicPtr<Pmap<Hardware>>) =
    (AtomicPtr::new(ptr::null_mut()), AtomicPtr::new(ptr::null_mut()));
/// How programs run, and why they were left. Only [`run`] and the handlers of traps use it, never at once.
static RUN: Mutex<(Mode, Stop)> = Mutex::new((Mode::Foreground, Stop::NoneRunnable));

/// All environments, made at the first use.
struct Shared(Once<Lock<Envs<Frame>>>);

// SAFETY: one processor runs the kernel, and there are no threads, so nothing uses them concurrently.
unsafe impl Sync for Shared {}

/// How programs run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Until none can.
    Foreground,
    /// The monitor waits for a key meanwhile: until one is typed.
    Background,
    /// For one instruction of this environment.
    Step(EnvId),
}

/// Why no program runs any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// Ctrl-C was typed.
    Interrupted,
    /// Something was typed while programs ran in the background.
    Typed,
    /// The step is done, or the environment cannot go on.
    Stepped,
    /// The program that ran has reached a breakpoint.
    Breakpoint,
    /// No program can run.
    NoneRunnable,
}

/// All environments; `None` before the first.
pub(crate) fn environments() -> Option<LockGuard<'static, Envs<Frame>>> {
    ENVS.0.get().map(Lock::lock)
}

/// Makes an environment of the program `binary`, called `name`.
pub(crate) fn create(name: &str, binary: &[u8]) -> Result<(), LoadError> {
    let envs = ENVS.0.try_call_once(init)?;
    let (mut envs, mut pmap) = (envs.lock(), pmap::lock());
    let index = envs.env_create(&mut pmap, binary)?;
    envs.set_name(index, name);
    Ok(())
}

/// Makes the arrays of environments, and the tables that all page directories share. They stay.
fn init() -> Result<Lock<Envs<Frame>>, LoadError> {
    machine::init(handle_call, handle_trap);
    panic::on_behalf(print_current);
    let mut pmap = pmap::lock();
    let free = pmap.pages().nfree();
    let envs = Envs::env_init(&mut pmap).map_err(|_| LoadError::NoMemory)?;
    if let Ok(space) = AddressSpace::uvmcreate(&mut pmap) {
        space.uvmfree(&mut pmap);
    }
    application::keeps(free - pmap.pages().nfree());
    Ok(Lock::new(envs))
}

/// Whether a program can run.
pub(crate) fn can_run() -> bool {
    environments().is_some_and(|envs| envs.can_run())
}

/// Runs programs, from where they were left, until none can run or there is another reason to stop.
pub(crate) fn run(mode: Mode) -> Stop {
    let Some(envs) = ENVS.0.get() else { return Stop::NoneRunnable };
    // Both locks are held, and interrupts are off in the kernel, until this returns.
    let (mut envs, mut pmap) = (envs.lock(), pmap::lock());
    *RUN.lock() = (mode, Stop::NoneRunnable);
    let next = envs.resume(&mut pmap);
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
    RUN.lock().1
}

/// Runs one instruction of the program that was left.
pub(crate) fn step() -> Option<Stop> {
    let set = |index, on| {
        let mut envs = environments()?;
        envs.root(index)?;
        let mut frame = envs.env(index).env_tf;
        frame.step(on);
        envs.set_frame(index, frame);
        Some(())
    };
    let (index, id) = environments().and_then(|envs| {
        let index = envs.stopped()?;
        Some((index, envs.env(index).env_id))
    })?;
    set(index, true);
    let stop = run(Mode::Step(id));
    // For each program: a child that the step has made has its parent's registers.
    EnvIndex::all().for_each(|index| _ = set(index, false));
    Some(stop)
}

/// Prints which environment is current, for the report of a panic: the kernel may work for it.
fn print_current() {
    let Some(envs) = ENVS.0.get() else { return };
    // SAFETY: whoever holds the lock never runs again, since a report does not return.
    unsafe { envs.seize() };
    let envs = envs.lock();
    // Whatever state it is in: it may be ending.
    if let Some(index) = envs.curenv() {
        let (env, name) = (envs.env(index), envs.name(index));
        println!("The current environment is {} ({name}), at {}", env.env_id, env.env_tf.pc());
    }
}

/// Prints the registers of the environment that was left while it ran.
pub(crate) fn print_registers(pmap: &mut Pmap<Hardware>) {
    if let Some(envs) = environments()
        && let Some(index) = envs.stopped()
    {
        envs.print_trapframe(pmap, index);
    }
}

/// The environment that was left while it ran: its id, its program's name, and where it goes on.
pub(crate) fn stopped() -> Option<(EnvId, Name, VirtAddr)> {
    let envs = environments()?;
    let index = envs.stopped()?;
    let env = envs.env(index);
    Some((env.env_id, envs.name(index), env.env_tf.pc()))
}

/// Makes `index` the environment that runs; returns its frame.
#[inline]
fn run_env(envs: &mut Envs<Frame>, pmap: &mut Pmap<Hardware>, index: EnvIndex) -> NonNull<Frame> {
    let frame = envs.env_run(pmap, index);
    machine::lend_floats(envs.id(index), envs.has_machine_frame(index));
    frame
}

/// The environments and the memory system, which [`run`] has stored.
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

/// Handles a system call of the program that runs, whose registers are in `frame`. Returns the frame to go on with.
extern "C" fn handle_call(frame: NonNull<Frame>, _incoming: usize) -> NonNull<Frame> {
    // SAFETY: a program runs.
    let (envs, pmap) = unsafe { running() };
    match envs.syscall(pmap, &mut Console) {
        None => frame,
        Some(next) => go_on(envs, pmap, next, Stop::NoneRunnable),
    }
}

/// Handles any other trap of the program that runs, whose registers are in `frame` and were at `incoming` before. Returns
/// the frame to go on with.
extern "C" fn handle_trap(frame: NonNull<Frame>, incoming: usize) -> NonNull<Frame> {
    // SAFETY: a program runs.
    let (envs, pmap) = unsafe { running() };
    // SAFETY: the frame of the program that runs, and no method of `envs` does.
    let registers = unsafe { frame.as_ref() };
    let cause = machine::cause(registers);
    let asked = match cause {
        Cause::Timer | Cause::Interrupt => stop_asked(envs),
        Cause::Exception if registers.is_step() => stop_stepped(envs),
        _ => None,
    };
    if let Some(stop) = asked {
        return go_on(envs, pmap, Next::NoneRunnable, stop);
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
        next => go_on(envs, pmap, next, Stop::NoneRunnable),
    }
}

/// Goes on with an environment, or leaves them all, by `stop` if none can run: then [`run`] returns.
fn go_on(
    envs: &mut Envs<Frame>,
    pmap: &mut Pmap<Hardware>,
    next: Next,
    stop: Stop,
) -> NonNull<Frame> {
    let stop = match next {
        Next::Run(index) => return run_env(envs, pmap, index),
        Next::Breakpoint(_) => Stop::Breakpoint,
        Next::NoneRunnable => stop,
    };
    RUN.lock().1 = stop;
    pmap.switchkvm();
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

/// The reason to stop at an interrupt, if there is one.
#[cold]
fn stop_asked(envs: &Envs<Frame>) -> Option<Stop> {
    let mode = RUN.lock().0;
    // Asked at each tick: not every device interrupts when something is typed.
    match (mode, console::unread()) {
        (Mode::Background, Unread::Bytes | Unread::Interrupt) => return Some(Stop::Typed),
        (Mode::Foreground | Mode::Step(_), Unread::Interrupt) => {
            let _ = console::interrupted();
            return Some(Stop::Interrupted);
        }
        _ => {}
    }
    match mode {
        Mode::Foreground | Mode::Background => None,
        // Other programs run only if this one waits for its turn.
        Mode::Step(id) => match envs.envid2env(id, false) {
            Ok(index) if envs.env(index).env_status == ENV_RUNNABLE => None,
            Ok(index) if envs.curenv() == Some(index) => None,
            _ => Some(Stop::Stepped),
        },
    }
}

/// Whether the environment that trapped has done the step that was asked for. (A program can set the flag itself.)
#[cold]
fn stop_stepped(envs: &Envs<Frame>) -> Option<Stop> {
    let Mode::Step(id) = RUN.lock().0 else { return None };
    let current = envs.curenv().map(|index| envs.env(index).env_id);
    (current == Some(id)).then_some(Stop::Stepped)
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
        // The monitor reads Ctrl-C, and all that is typed while programs run in the background.
        if RUN.lock().0 == Mode::Background || console::unread() != Unread::Bytes {
            return None;
        }
        console::try_read().map(|(byte, _)| byte)
    }
}

#[cfg(test)]
pub(crate) mod tests;
