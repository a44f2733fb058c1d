//! ELF files: those that are loaded, and those that are refused.

use layout::{MemLayout, PGSIZE};
use libjos::env::elf::ElfError;
use libjos::env::{LoadError, TrapFrame};
use libjos::machine::PhysMem;
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;
use libjos::sim::user::SimFrame;

use crate::rig::World;
use crate::rig::elf::{Part, R, W, X, elf_file, elf_of, hello, part};

fn a_program_is_loaded_as_its_file_says<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    let me = world.me();
    let frame = world.envs.env(me).env_tf;
    assert_eq!((frame.pc().as_u64(), frame.sp().as_u64()), (0x80_0020, L::USTACKTOP));
    let pages: Vec<_> =
        world.pages(me).into_iter().map(|leaf| (leaf.va.as_u64(), leaf.perm)).collect();
    let (r, rx) = (F::effective(Perm::UR), F::effective(Perm::UR | Perm::X));
    let rw = F::effective(Perm::URW);
    let expected = [
        (0x20_0000, r),
        (0x80_0000, rx),
        (0x80_1000, rx),
        (0x80_2000, rw),
        (0x80_3000, rw),
        (0x80_4000, rw),
        (L::USTACKTOP - PGSIZE, rw),
    ];
    assert_eq!(pages, expected);
    for part in hello() {
        let mut bytes = part.bytes.clone();
        bytes.resize(part.size as usize, 0);
        for (i, byte) in bytes.iter().enumerate() {
            let va = part.va + i as u64;
            let (pa, _) = world.mapped(me, va & !(PGSIZE - 1)).unwrap();
            let word = world.pmap.machine().load::<u32>(pa + ((va & !3) % PGSIZE));
            assert_eq!(word.to_le_bytes()[(va % 4) as usize], *byte, "{va:#x}");
        }
    }
    // The stack is zeros, and so is all around the segments.
    assert_eq!(world.load(L::USTACKTOP - 8), Ok(0));
    assert_eq!(world.load(0x80_0018), Ok(0));
    assert_eq!(world.load(0x80_4ff8), Ok(0));
}

fn segments_may_share_a_page<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::empty();
    let code = part(0x80_0100, R | X, 8, b"codecode");
    let parts = [part(0x80_0000, R, 8, b"constant"), code, part(0x80_0200, R, 0x1000, b"more")];
    let index = world.envs.env_create(&mut world.pmap, &elf_of::<F>(&parts)).unwrap();
    let (pa, perm) = world.mapped(index, 0x80_0000).unwrap();
    assert_eq!(perm, F::effective(Perm::UR | Perm::X));
    let word = |offset| world.pmap.machine().load::<u32>(pa + offset).to_le_bytes();
    assert_eq!([word(0), word(0x100), word(0x200)], [*b"cons", *b"code", *b"more"]);
    assert_eq!(world.mapped(index, 0x80_1000).unwrap().1, F::effective(Perm::UR));
}

/// A file of this format with a fault in it is refused so, and nothing has changed.
fn refused<L: MemLayout, F: Format + Mmu>(file: &[u8]) -> ElfError {
    let mut world = World::<L, F>::empty();
    let nfree = world.nfree();
    let refused = world.envs.env_create(&mut world.pmap, file);
    assert_eq!((world.nfree(), world.said().as_str()), (nfree, ""));
    match refused {
        Err(LoadError::Elf(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn a_file_with_a_fault_is_refused<L: MemLayout, F: Format + Mmu>() {
    let refused = refused::<L, F>;
    let with = |change: &dyn Fn(&mut Vec<Part>)| {
        let mut parts = hello();
        change(&mut parts);
        refused(&elf_of::<F>(&parts))
    };
    let (wide, machine) = (F::Word::BYTES == 8, SimFrame::<F>::ELF_MACHINE);
    assert_eq!(refused(b""), ElfError::Malformed);
    assert_eq!(
        refused(b"#!/bin/sh and so on, long enough for a header; and more, and more, and more"),
        ElfError::Malformed
    );
    let good = elf_of::<F>(&hello());
    assert_eq!(refused(&good[..60]), ElfError::Malformed);
    let mut big_endian = good.clone();
    big_endian[5] = 2;
    assert_eq!(refused(&big_endian), ElfError::Malformed);
    assert_eq!(refused(&elf_file(!wide, machine, 2, 0x80_0020, &hello())), ElfError::Class);
    let other = elf_file(wide, 40, 2, 0x80_0020, &hello());
    assert_eq!(refused(&other), ElfError::Machine { e_machine: 40 });
    let shared = elf_file(wide, machine, 3, 0x80_0020, &hello());
    assert_eq!(refused(&shared), ElfError::NotExecutable { e_type: 3 });
    assert_eq!(refused(&elf_of::<F>(&[])), ElfError::Empty);
    assert_eq!(with(&|parts| parts[0].size = 3), ElfError::LongerThanMemory { va: 0x20_0000 });
    // The end of the file is missing.
    let cut = &good[..good.len() - 1];
    assert_eq!(refused(cut), ElfError::OutsideFile { va: 0x80_2000 });
    let low = ElfError::PageZero { va: 0xFFF };
    assert_eq!(with(&|parts| parts[0].va = 0xFFF), low);
    let stack = L::USTACKTOP - PGSIZE;
    for va in [stack - 8999, stack, L::UTOP - 9000, L::UTOP, L::ULIM, L::KERNBASE] {
        assert_eq!(with(&|parts| parts[2].va = va), ElfError::TooHigh { va });
    }
    // At the end of the machine's addresses, and with a size that wraps.
    let most = u64::MAX >> (64 - 8 * F::Word::BYTES);
    let wraps = with(&|parts| parts[2].size = most);
    let va = 0x80_2000;
    assert_eq!(wraps, if wide { ElfError::Wraps { va } } else { ElfError::TooHigh { va } });
    assert_eq!(with(&|parts| parts[2].va = 0x80_13A7), ElfError::Overlap { va: 0x80_13A7 });
    assert_eq!(with(&|parts| parts.swap(0, 2)), ElfError::Entry { va: 0x80_0020 }.or_order());
    for entry in [0, 0x80_001F, 0x80_0020 + 5000, 0x80_2000, L::KERNBASE] {
        let file = elf_file(wide, machine, 2, entry, &hello());
        assert_eq!(refused(&file), ElfError::Entry { va: entry });
    }
    for error in [ElfError::Malformed, ElfError::Empty, low] {
        assert!(error.to_string().len() > 20, "{error}");
    }
}

trait OrOrder {
    fn or_order(self) -> Self;
}

impl OrOrder for ElfError {
    /// The error of a file whose segments are not in order.
    fn or_order(self) -> Self {
        Self::Overlap { va: 0x80_0020 }
    }
}

/// Where the processor can keep them apart, no page is both writable and executable.
fn no_page_is_writable_and_executable<L: MemLayout, F: Format + Mmu>() {
    let whole = [part(0x20_0000, R, 8, b"x"), part(0x80_0020, R | W | X, 8, b"x")];
    let code = part(0x80_0020, R | X, 8, b"x");
    let one_page = [code.clone(), part(0x80_0FF0, R | X, 16, b""), part(0x80_1000, R | W, 1, b"")];
    let shared = [part(0x20_0000, R, 8, b"x"), code.clone(), part(0x80_0040, R | W, 8, b"x")];
    let between = [
        part(0x20_0000, R, 8, b"x"),
        code,
        part(0x80_0040, R, 8, b"x"),
        part(0x80_0080, R | W, 8, b"x"),
    ];
    let mut world = World::<L, F>::empty();
    world.envs.env_create(&mut world.pmap, &elf_of::<F>(&one_page)).unwrap();
    for (parts, va) in [(&whole[..], 0x80_0020), (&shared, 0x80_0040), (&between, 0x80_0080)] {
        let loaded = world.envs.env_create(&mut world.pmap, &elf_of::<F>(parts));
        if F::ALWAYS.contains(Perm::X) {
            assert!(loaded.is_ok());
        } else {
            assert_eq!(loaded, Err(LoadError::Elf(ElfError::WritableCode { va })));
        }
    }
}

on_every_format! {
    a_program_is_loaded_as_its_file_says
    segments_may_share_a_page
    a_file_with_a_fault_is_refused
    no_page_is_writable_and_executable
}
