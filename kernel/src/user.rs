//! Programs in user mode: the machine's side of [`libjos::env`].
//!
//! While programs run, interrupts are on and the kernel's stack is for their traps alone. Each trap comes to
//! [`handle`], which lets `libjos` do the kernel's part and goes on with the program that it picks, or leaves the
//! programs: then [`run`] returns.

use core::ptr::NonNull;

use libjos::env::abi::{ENV_RUNNABLE, EnvId};
use libjos::env::load::LoadError;
use libjos::env::record::Name;
use libjos::env::{self, Cause, EnvConsole, EnvIndex, Envs, Next, TrapFrame};
use libjos::mem::addr::VirtAddr;
use libjos::mem::pages::PageAllocator;
use libjos::pmap::Pmap;
use libjos::space::AddressSpace;
use spin::{Mutex, Once};

use crate::application;
use crate::arch::clock;
use crate::arch::user::{self as machine, Frame};
use crate::console::{self, Unread};
use crate::lock::{Lock, LockGuard, interrupts_off};
use crate::machine::Hardware;
use crate::panic;
use crate::pmap;
use crate::trap::cause::Interrupt;

/// Ticks of the timer per second while programs run.
const HZ: u32 = 100;

static ENVS: Shared = Shared(Once::new());
/// How programs run, and why they were left. Only [`run`] and [`handle`] use it, never at once.
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
    machine::init(handle);
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
    let _off = interrupts_off();
    let Some(envs) = ENVS.0.get() else { return Stop::NoneRunnable };
    *RUN.lock() = (mode, Stop::NoneRunnable);
    let next = envs.lock().resume(&mut pmap::lock());
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
    RUN.lock().1
}

/// Runs one instruction of the program that was left.
pub(crate) fn step() -> Option<Stop> {
    let set = |index, on| {
        let mut envs = environments()?;
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
    let envs = environments()?;
    if envs.envid2env(id, false).is_ok() {
        drop(envs);
        set(index, false);
    }
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
    let asked = match cause {
        Cause::Timer | Cause::Interrupt => stop_asked(&envs),
        Cause::Exception if frame.is_step() => stop_stepped(&envs),
        _ => None,
    };
    let next = match asked {
        Some(_) => Next::NoneRunnable,
        None => envs.trap_dispatch(&mut pmap, &mut Console, env::Trap { cause, incoming }),
    };
    let stop = match next {
        Next::Run(index) => return go_on(&mut envs, &mut pmap, index),
        Next::Breakpoint(_) => Stop::Breakpoint,
        Next::NoneRunnable => asked.unwrap_or(Stop::NoneRunnable),
    };
    RUN.lock().1 = stop;
    pmap.switchkvm();
    drop((pmap, envs));
    // SAFETY: `run` waits, and no lock is held.
    unsafe { machine::leave() }
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
