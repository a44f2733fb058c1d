//! ELF files whose headers lie: every number of them, at its limits. Whatever they say, nothing panics, and no memory is
//! lost.

use layout::{Jos32, Jos64, JosSv39, MemLayout};
use libjos::env::LoadError;
use libjos::env::elf::{ElfError, Program};
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::Sv39;
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Format, Perm};
use libjos::paging::word::Word;
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;
use libjos::sim::user::SimFrame;

use crate::rig::World;
use crate::rig::elf::{Part, R, W, X, elf_of, hello, part};

/// A number in a file: its place, its size, and its name.
type Field = (usize, usize, &'static str);

/// The numbers of the header, and those of the program header with this index.
fn fields(wide: bool, index: usize) -> Vec<Field> {
    if wide {
        let row = 64 + 56 * index;
        vec![
            (16, 2, "e_type"),
            (18, 2, "e_machine"),
            (20, 4, "e_version"),
            (24, 8, "e_entry"),
            (32, 8, "e_phoff"),
            (40, 8, "e_shoff"),
            (52, 2, "e_ehsize"),
            (54, 2, "e_phentsize"),
            (56, 2, "e_phnum"),
            (58, 2, "e_shentsize"),
            (60, 2, "e_shnum"),
            (row, 4, "p_type"),
            (row + 4, 4, "p_flags"),
            (row + 8, 8, "p_offset"),
            (row + 16, 8, "p_vaddr"),
            (row + 32, 8, "p_filesz"),
            (row + 40, 8, "p_memsz"),
        ]
    } else {
        let row = 52 + 32 * index;
        vec![
            (16, 2, "e_type"),
            (18, 2, "e_machine"),
            (20, 4, "e_version"),
            (24, 4, "e_entry"),
            (28, 4, "e_phoff"),
            (32, 4, "e_shoff"),
            (40, 2, "e_ehsize"),
            (42, 2, "e_phentsize"),
            (44, 2, "e_phnum"),
            (46, 2, "e_shentsize"),
            (48, 2, "e_shnum"),
            (row, 4, "p_type"),
            (row + 4, 4, "p_offset"),
            (row + 8, 4, "p_vaddr"),
            (row + 16, 4, "p_filesz"),
            (row + 20, 4, "p_memsz"),
            (row + 24, 4, "p_flags"),
        ]
    }
}

/// The file of a good program with another number in a field.
fn with<F: Format + Mmu>((at, size, _): Field, value: u64) -> Vec<u8> {
    let mut file = elf_of::<F>(&hello());
    file[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
    file
}

fn field<F: Format + Mmu>(name: &str, index: usize) -> Field {
    let mut fields = fields(F::Word::BYTES == 8, index).into_iter();
    fields.find(|(_, _, it)| *it == name).expect("a field's name")
}

/// Every field with every odd number: either it is refused, or what is loaded lies where programs may.
fn every_number<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    let page = layout::PGSIZE;
    let numbers = [
        0,
        1,
        2,
        3,
        7,
        8,
        31,
        32,
        52,
        56,
        64,
        0xFFF,
        page,
        0x7FFF,
        0x8000,
        0xFFFF,
        0x20_0000,
        0x80_0000,
        0x7FFF_FFFF,
        0x8000_0000,
        0xFFFF_F000,
        u64::from(u32::MAX),
        1 << 32,
        L::UTOP - page,
        L::UTOP,
        L::ULIM,
        L::KERNBASE,
        1 << 47,
        i64::MAX as u64,
        1 << 63,
        u64::MAX - page,
        u64::MAX - 8,
        u64::MAX,
    ];
    for part in 0..3 {
        for field in fields(F::Word::BYTES == 8, part) {
            for number in numbers {
                let nfree = world.nfree();
                let file = with::<F>(field, number);
                if let Ok(index) = world.envs.env_create(&mut world.pmap, &file) {
                    for leaf in world.pages(index) {
                        let va = leaf.va.as_u64();
                        assert!(
                            (page..L::USTACKTOP).contains(&va),
                            "{field:?} {number:#x}: {va:#x}"
                        );
                        assert!(leaf.perm.contains(Perm::UR), "{field:?} {number:#x}: {leaf:?}");
                    }
                    world.envs.env_destroy(&mut world.pmap, index);
                }
                assert_eq!(world.nfree(), nfree, "{field:?} {number:#x}");
            }
        }
    }
    world.check();
}

/// The numbers that lie name the segment, or the file.
fn the_error_says_where<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    let most = u64::MAX >> (64 - 8 * F::Word::BYTES);
    let mut refused = |name: &str, index, number| {
        let file = with::<F>(field::<F>(name, index), number);
        match world.envs.env_create(&mut world.pmap, &file) {
            Err(LoadError::Elf(error)) => error,
            other => panic!("{name} {number:#x}: {other:?}"),
        }
    };
    let stabs = 0x20_0000;
    // Offsets and sizes in the file: beyond its end, and with an end that wraps.
    for offset in [most, most - 3, 1 << 20] {
        assert_eq!(refused("p_offset", 0, offset), ElfError::OutsideFile { va: stabs });
    }
    assert_eq!(refused("p_filesz", 0, 19), ElfError::LongerThanMemory { va: stabs });
    assert_eq!(refused("p_filesz", 0, most), ElfError::LongerThanMemory { va: stabs });
    // Sizes in memory: up to the next segment, over it, over the stack, and around.
    assert_eq!(refused("p_memsz", 0, 0x60_0021), ElfError::Overlap { va: 0x80_0020 });
    let high = refused("p_memsz", 0, L::USTACKTOP);
    assert_eq!(high, ElfError::TooHigh { va: stabs });
    let wraps = refused("p_memsz", 0, most);
    let wide = F::Word::BYTES == 8;
    assert_eq!(
        wraps,
        if wide { ElfError::Wraps { va: stabs } } else { ElfError::TooHigh { va: stabs } }
    );
    assert_eq!(refused("p_vaddr", 0, 0), ElfError::PageZero { va: 0 });
    // The table of program headers: elsewhere, of another size, longer than the file.
    for (name, number) in
        [("e_phoff", most), ("e_phoff", 1 << 20), ("e_phentsize", 31), ("e_phnum", 0xFFFE)]
    {
        assert_eq!(refused(name, 0, number), ElfError::Malformed, "{name}");
    }
    assert_eq!(refused("e_phnum", 0, 0), ElfError::Empty);
    assert_eq!(refused("e_type", 0, 1), ElfError::NotExecutable { e_type: 1 });
    assert_eq!(refused("e_machine", 0, 2), ElfError::Machine { e_machine: 2 });
    // Without the code's segment the program has no beginning.
    assert_eq!(refused("p_type", 1, 6), ElfError::Entry { va: 0x80_0020 });
    assert_eq!(refused("p_flags", 1, 4), ElfError::Entry { va: 0x80_0020 });
}

/// A segment that is not to be loaded, or takes no memory, may lie anywhere.
fn segments_that_are_passed_over<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::empty();
    let mut load = |parts: &[Part], change: &dyn Fn(&mut Vec<u8>)| {
        let mut file = elf_of::<F>(parts);
        change(&mut file);
        world.envs.env_create(&mut world.pmap, &file).map(|index| world.pages(index).len())
    };
    let mut parts = hello();
    let pages = load(&parts, &|_| {});
    assert_eq!(pages, Ok(7));
    // A note (PT_NOTE) in page 0.
    let (at, size, _) = field::<F>("p_type", 3);
    parts.push(part(0, R, 8, b"note"));
    assert_eq!(load(&parts, &|file| file[at..at + size].copy_from_slice(&[4, 0, 0, 0])), pages);
    // No bytes, in page 0 and where the kernel is.
    for va in [0, L::KERNBASE] {
        parts[3] = part(va, R | W | X, 0, b"");
        assert_eq!(load(&parts, &|_| {}), pages);
    }
}

/// The first address that a segment may have, and the last one; and how many pages the segments take.
fn the_limits<L: MemLayout, F: Format + Mmu>() {
    let npages = |parts: &[Part]| {
        let file = elf_of::<F>(parts);
        Program::new::<SimMachine<L, F>, SimFrame<F>>(&file).map(|program| program.npages())
    };
    let page = layout::PGSIZE;
    let code = part(0x80_0020, R | X, 8, b"code");
    let with = |first: Part, last: Part| npages(&[first, code.clone(), last]);
    let (low, high) = (part(page, R, 8, b"low"), part(L::USTACKTOP - 2 * page, R | W, page, b""));
    assert_eq!(with(low.clone(), high.clone()), Ok(3));
    let va = page - 1;
    assert_eq!(with(Part { va, ..low.clone() }, high.clone()), Err(ElfError::PageZero { va }));
    let (va, size) = (high.va, page + 1);
    assert_eq!(with(low.clone(), Part { size, ..high }), Err(ElfError::TooHigh { va }));
    // Pages that two segments share count once; those of one segment each, wherever it begins and ends.
    let constants = part(0x80_0040, R, 8, b"constant");
    assert_eq!(with(low.clone(), constants), Ok(2));
    assert_eq!(with(low.clone(), part(0x80_0FFF, R, 2, b"")), Ok(3));
    assert_eq!(with(low.clone(), part(0x80_1000, R, page, b"")), Ok(3));
    assert_eq!(with(low, part(0x80_1001, R, page, b"")), Ok(4));
}

#[test]
#[cfg_attr(miri, ignore = "no unsafe code")]
fn jos64() {
    every_number::<Jos64, X86_64>();
    the_error_says_where::<Jos64, X86_64>();
    segments_that_are_passed_over::<Jos64, X86_64>();
    the_limits::<Jos64, X86_64>();
}

#[test]
#[cfg_attr(miri, ignore = "no unsafe code")]
fn jos32() {
    every_number::<Jos32, I386>();
    the_error_says_where::<Jos32, I386>();
    segments_that_are_passed_over::<Jos32, I386>();
    the_limits::<Jos32, I386>();
}

#[test]
#[cfg_attr(miri, ignore = "no unsafe code")]
fn jossv39() {
    every_number::<JosSv39, Sv39>();
    the_error_says_where::<JosSv39, Sv39>();
    segments_that_are_passed_over::<JosSv39, Sv39>();
    the_limits::<JosSv39, Sv39>();
}
