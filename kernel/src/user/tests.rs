//! Programs found among the loader's modules and loaded; the simulated PC leaves user mode at once.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use boot::info::START_INFO_MAGIC;
use layout::MemLayout;
use libjos::app::process::ExitCode;
use libjos::env::abi::call;
use libjos::mem::pages::PageAllocator;

use super::*;
use crate::arch::host::memory::map_heap;
use crate::arch::host::pc;
use crate::arch::host::process::{alone, each_alone};
use crate::{programs, rig};

/// Where the loader has put the module.
const MODULE: u64 = 0x40_0000;

/// An ELF file for x86-64: a segment of code at `va`, which holds `code` and begins with it.
pub(crate) fn elf(va: u64, code: &[u8]) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    let mut add = |value: u64, size: usize| file.extend(&value.to_le_bytes()[..size]);
    // The type EXEC, for machine 62; one program header, right behind.
    for (value, size) in
        [(2, 2), (62, 2), (1, 4), (va, 8), (64, 8), (0, 8), (0, 4), (64, 2), (56, 2), (1, 2)]
    {
        add(value, size);
    }
    for (value, size) in [(0, 2), (0, 2), (0, 2), (1, 4), (5, 4), (120, 8), (va, 8), (va, 8)] {
        add(value, size);
    }
    for value in [code.len() as u64, code.len() as u64, 4096] {
        add(value, 8);
    }
    file.extend(code);
    file
}

/// Makes an environment of the program `name`, or prints why not.
pub(crate) fn create(name: &str) -> bool {
    let Some(binary) = programs::find(name) else {
        println!("there is no program \"{name}\"");
        return false;
    };
    let made = super::create(name, binary);
    if let Err(error) = made {
        println!("{name} cannot be run: {error}");
    }
    made.is_ok()
}

/// Boots with a module, if it is not empty, and does `work` in place of an application.
pub(crate) fn boot(module: &[u8], work: fn() -> ExitCode) -> ! {
    map_heap();
    rig::kernel_panics();
    let modules = [(MODULE, module.len() as u64)];
    rig::pvh(&rig::RAM, if module.is_empty() { &[] } else { &modules }, "");
    rig::write(MODULE, module);
    *rig::APPLICATION.lock() = work;
    crate::kernel_main(START_INFO_MAGIC, rig::START_INFO)
}

fn create_hello() -> ExitCode {
    let nfree = pmap::lock().pages().nfree();
    if create("hello") {
        println!("made; pages were taken: {}", pmap::lock().pages().nfree() < nfree);
        assert_eq!(run(Mode::Foreground), Stop::NoneRunnable);
        // A second one has the next slot.
        assert!(create("hello"));
    }
    ExitCode::SUCCESS
}

const MADE: [&str; 3] =
    ["[00000000] new env 00001000", "made; pages were taken: true", "[00000000] new env 00001001"];

#[test]
fn modules_that_have_the_program() {
    let hello = elf(0x80_0020, b"code");
    let ended =
        each_alone(&[hello.clone(), rig::archive("hello", &hello)], |it| boot(it, create_hello));
    ended.iter().for_each(|ended| ended.assert_tail(33, &MADE));
}

/// Others do no harm, and the words say what is wrong.
#[test]
fn modules_that_have_not() {
    let none = "there is no program \"hello\"";
    let hello = elf(0x80_0020, b"code");
    let cases = [
        (Vec::new(), none),
        (b"neither".to_vec(), none),
        (vec![0; 2048], none),
        (rig::archive("yield", &hello), none),
        (rig::archive("hello", &hello)[..1024].to_vec(), none),
        (
            hello[..122].to_vec(),
            "hello cannot be run: the bytes of the segment at 0x800020 lie outside the file",
        ),
        (elf(0x20, b"code"), "hello cannot be run: the segment at 0x20 lies in page 0"),
        (
            elf(Layout::KERNBASE + 0x10_0000, b"code"),
            "hello cannot be run: the segment at 0xfffffffff0100000 reaches the stack or beyond it",
        ),
    ];
    let ended = each_alone(&cases, |(module, _)| boot(module, create_hello));
    for (ended, (_, words)) in ended.iter().zip(&cases) {
        ended.assert_tail(33, &[words]);
    }
}

/// Without memory for the environments, or for the program, there are words, and the next try is as the first.
#[test]
fn too_little_memory() {
    let ended = alone(|| boot(&elf(0x80_0020, b"code"), scarce));
    let words = "hello cannot be run: there are not enough free pages for the program";
    let wanted = [words, "with 0 pages: false"];
    assert!(ended.printed.contains(&wanted.join("\r\n")), "{}", ended.printed);
    ended.assert_tail(33, &["[00000000] new env 00001000", "with all: true"]);
}

fn scarce() -> ExitCode {
    let mut taken = Vec::new();
    for left in [0, 100] {
        // The vector's own memory comes first.
        taken.reserve(8192);
        let mut pmap = pmap::lock();
        while pmap.pages().nfree() > left {
            taken.extend(pmap.page_alloc(libjos::mem::pages::AllocFlags::empty()));
        }
        drop(pmap);
        println!("with {left} pages: {}", create("hello"));
        let mut pmap = pmap::lock();
        taken.drain(..).for_each(|frame| pmap.pages_mut().page_free(frame));
    }
    println!("with all: {}", create("hello"));
    ExitCode::SUCCESS
}

/// A program may print bytes that are no text.
#[test]
fn a_program_prints_bytes() {
    let ended = alone(|| boot(b"", print_bytes));
    ended.assert_tail(33, &["text ä \u{FFFD}\u{FFFD}.ä"]);
}

fn print_bytes() -> ExitCode {
    Console.write(b"text \xC3\xA4 \xFF\xFE.");
    Console.write("ä\n".as_bytes());
    assert_eq!(Console.cgetc(), None);
    ExitCode::SUCCESS
}

/// A program reads what is typed, but not what is for the monitor: Ctrl-C, and all that is typed behind the prompt.
#[test]
fn a_program_reads_bytes() {
    let ended = alone(|| boot(b"", read_bytes));
    ended.assert_tail(33, &["all was read"]);
}

fn read_bytes() -> ExitCode {
    let mut console = Console;
    assert_eq!(console.cgetc(), None);
    pc().serial.type_bytes(b"ab");
    RUN.lock().0 = Mode::Background;
    assert_eq!(console.cgetc(), None);
    RUN.lock().0 = Mode::Foreground;
    assert_eq!([console.cgetc(), console.cgetc(), console.cgetc()], [Some(b'a'), Some(b'b'), None]);
    pc().serial.type_bytes(b"c\x03");
    assert_eq!(console.cgetc(), None);
    assert!(console::interrupted());
    println!("all was read");
    ExitCode::SUCCESS
}

/// Only a debug trap of the environment that steps ends the step: others can set the flag themselves.
#[test]
fn a_step_is_one_environment_s() {
    let ended = alone(|| boot(&elf(0x80_0020, b"code"), step));
    ended.assert_tail(33, &["its own trap: Some(Stepped)", "another's: None"]);
}

fn step() -> ExitCode {
    assert!(create("hello") && create("hello"));
    assert_eq!(run(Mode::Step(EnvId(0x1000))), Stop::NoneRunnable);
    let mut envs = environments().expect("they are made");
    println!("its own trap: {:?}", stop_stepped(&envs));
    let mut pmap = pmap::lock();
    let _ = envs.env_run(&mut pmap, EnvIndex::new(1));
    println!("another's: {:?}", stop_stepped(&envs));
    pmap.switchkvm();
    ExitCode::SUCCESS
}

/// A child that is made by a step has its parent's registers, and is not to step.
#[test]
fn after_a_step_nobody_steps() {
    let ended = alone(|| boot(&elf(0x80_0020, b"code"), step_of_a_parent));
    let flags = "  flag 0x00000202";
    ended.assert_tail(33, &["the step: Some(NoneRunnable)", flags, flags]);
}

fn step_of_a_parent() -> ExitCode {
    assert!(create("hello") && create("hello"));
    let [parent, child] = [0, 1].map(EnvIndex::new);
    let (mut envs, mut pmap) = (environments().expect("they are made"), pmap::lock());
    let _ = envs.env_run(&mut pmap, parent);
    pmap.switchkvm();
    let mut frame = envs.env(parent).env_tf;
    frame.step(true);
    envs.set_frame(child, frame);
    drop((envs, pmap));
    println!("the step: {:?}", crate::user::step());
    let envs = environments().expect("they are made");
    for index in [parent, child] {
        let lines = envs.env(index).env_tf.to_string();
        lines.lines().filter(|line| line.contains("flag")).for_each(|line| println!("{line}"));
    }
    ExitCode::SUCCESS
}

/// A step lasts until the environment is neither current nor waits for its turn.
#[test]
fn a_step_ends_when_its_environment_waits_for_more_than_its_turn() {
    let ended = alone(|| boot(&elf(0x80_0020, b"code"), step_of_a_receiver));
    let wanted =
        ["ready: None", "current: None", "another is: None", "waits for a message: Some(Stepped)"];
    ended.assert_tail(33, &wanted);
}

fn step_of_a_receiver() -> ExitCode {
    assert!(create("hello") && create("hello"));
    let [stepped, other] = [0, 1].map(EnvIndex::new);
    let (mut envs, mut pmap) = (environments().expect("they are made"), pmap::lock());
    RUN.lock().0 = Mode::Step(envs.id(stepped));
    println!("ready: {:?}", stop_asked(&envs));
    let _ = envs.env_run(&mut pmap, stepped);
    println!("current: {:?}", stop_asked(&envs));
    let _ = envs.env_run(&mut pmap, other);
    println!("another is: {:?}", stop_asked(&envs));
    let _ = envs.env_run(&mut pmap, stepped);
    let mut frame = envs.env(stepped).env_tf;
    frame.set_result(call::IPC_RECV as i64);
    envs.set_frame(stepped, frame);
    assert_eq!(envs.syscall(&mut pmap, &mut Console), Some(Next::Run(other)));
    let _ = envs.env_run(&mut pmap, other);
    println!("waits for a message: {:?}", stop_asked(&envs));
    pmap.switchkvm();
    ExitCode::SUCCESS
}
