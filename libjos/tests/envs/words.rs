//! The words of errors, and the lines about an environment that is not the first.

use layout::MemLayout;
use libjos::env::abi::{EnvId, Error, NENV, call};
use libjos::env::elf::ElfError;
use libjos::env::{Cause, EnvIndex, LoadError, Next};
use libjos::paging::format::Format;
use libjos::sim::mmu::Mmu;

use crate::rig::World;
use crate::rig::elf::{elf_of, hello};

#[test]
fn of_calls() {
    // JOS's.
    for (error, number, words) in [
        (Error::Unspecified, 1, "unspecified error"),
        (Error::BadEnv, 2, "bad environment"),
        (Error::Inval, 3, "invalid parameter"),
        (Error::NoMem, 4, "out of memory"),
        (Error::NoFreeEnv, 5, "out of environments"),
        (Error::Fault, 6, "segmentation fault"),
        (Error::IpcNotRecv, 7, "env is not recving"),
        (Error::Eof, 8, "unexpected end of file"),
    ] {
        assert_eq!((error as i32, error.to_string().as_str()), (number, words));
    }
    assert_eq!(EnvId(0x12ab).to_string(), "000012ab");
}

#[test]
fn of_loading() {
    let va = 0x80_0020;
    for (error, words) in [
        (ElfError::Malformed, "this is no ELF file, or a damaged one"),
        (ElfError::Class, "the program's addresses have another width than this machine's"),
        (ElfError::Machine { e_machine: 40 }, "the program is another machine's (40)"),
        (
            ElfError::NotExecutable { e_type: 3 },
            "the file is no program linked to fixed addresses (type 3)",
        ),
        (ElfError::Empty, "the program has nothing to load"),
        (ElfError::Entry { va }, "the program begins at 0x800020, where it has no code"),
        (ElfError::OutsideFile { va }, "the bytes of the segment at 0x800020 lie outside the file"),
        (
            ElfError::LongerThanMemory { va },
            "the segment at 0x800020 has more bytes in the file than in memory",
        ),
        (ElfError::Wraps { va }, "the segment at 0x800020 wraps around the address space"),
        (ElfError::PageZero { va: 5 }, "the segment at 0x5 lies in page 0"),
        (ElfError::TooHigh { va }, "the segment at 0x800020 reaches the stack or beyond it"),
        (
            ElfError::Overlap { va },
            "the segment at 0x800020 overlaps the one before it, or lies below it",
        ),
        (
            ElfError::WritableCode { va },
            "the segment at 0x800020 makes a page both writable and executable",
        ),
    ] {
        assert_eq!(LoadError::Elf(error).to_string(), words);
    }
    let words = LoadError::NoFreeEnv.to_string();
    assert_eq!(words, "there are as many environments as there can be");
    let words = LoadError::NoMemory.to_string();
    assert_eq!(words, "there are not enough free pages for the program");
}

/// A trap's frame is that of the environment that trapped, where the kernel sees it.
fn of_the_second_one<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(3);
    let second = EnvIndex::new(1);
    assert_eq!(world.call_only(call::YIELD, &[]), Next::Run(second));
    world.said();
    let at = world.frame_address();
    assert_eq!(world.trap(Cause::Breakpoint), Next::Breakpoint(second));
    let line = format!("TRAP frame at {at:#010x} from CPU 0\n");
    assert!(world.said().contains(&line), "{line}");
    assert!(world.frame_address() > L::KERNBASE);
    assert_eq!(format!("{:?}", world.envs), "Envs { curenv: Some(EnvIndex(1)), number: 3, .. }");
}

/// Without a slot a program is not loaded, and nothing has changed.
fn of_no_slot<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::empty();
    for _ in 0..NENV {
        world.envs.env_alloc(&mut world.pmap, EnvId::NONE).unwrap();
    }
    let nfree = world.nfree();
    let loaded = world.envs.env_create(&mut world.pmap, &elf_of::<F>(&hello()));
    assert_eq!((loaded, world.nfree()), (Err(LoadError::NoFreeEnv), nfree));
}

on_every_format! {
    of_the_second_one
    of_no_slot
}
