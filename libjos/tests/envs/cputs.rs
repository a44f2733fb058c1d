//! `cputs`: what it prints, whatever the text's length and place, and whom it ends.

use layout::{MemLayout, PGSIZE};
use libjos::env::abi::{ENV_RUNNABLE, call};
use libjos::env::{Cause, EnvIndex, Next, TrapFrame};
use libjos::paging::format::Format;
use libjos::sim::mmu::Mmu;

use crate::rig::{URW, World, page};

fn cputs_prints_what_the_program_may_read<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    let data = 0x80_2000;
    assert_eq!(world.call(call::CPUTS, &[data, 4]), 0);
    assert_eq!(world.console.written, b"data");
    world.console.written.clear();
    // Text of more than a page and of any alignment, with bytes that are no letters.
    assert_eq!(world.call(call::CPUTS, &[0x80_0021, 4990]), 0);
    let text: Vec<u8> = (0..=255).cycle().skip(1).take(4990).collect();
    assert_eq!(world.console.written, text);
    // Programs may print all that the kernel shows them.
    for va in [L::UENVS, L::UPAGES] {
        assert_eq!(world.call(call::CPUTS, &[va, 40]), 0);
    }
    // Nothing is nothing, wherever it lies.
    for va in [0, L::KERNBASE, L::VA_LAST] {
        assert_eq!(world.call(call::CPUTS, &[va, 0]), 0);
    }
}

/// The console gets whole characters, wherever a page or a piece ends.
fn cputs_keeps_characters_whole<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    let text = "x€äb".repeat(1100);
    let bytes = &text.as_bytes()[..7200];
    for number in [0, 1] {
        assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(number), URW]), 0);
    }
    for (va, word) in (page(0)..).step_by(8).zip(bytes.chunks_exact(8)) {
        let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
        world.store(va, word).expect("a page");
    }
    for (start, end) in [(0, 7200), (0, 128), (1, 1000), (4, 4100), (4090, 4097), (2, 3)] {
        world.console.written.clear();
        world.console.ends.clear();
        let size = end - start;
        assert_eq!(world.call(call::CPUTS, &[page(0) + start as u64, size as u64]), 0);
        assert_eq!(world.console.written, bytes[start..end]);
        let is_whole = |end: &usize| *end == size || text.is_char_boundary(start + end);
        assert!(world.console.ends.iter().all(is_whole), "{start}: {:?}", world.console.ends);
    }
}

/// After a part of a long text other environments have their turns. The caller prints the rest by further calls.
fn cputs_of_a_long_text_gives_way<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(2);
    for number in 0..5 {
        assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(number), URW]), 0);
    }
    let me = world.me();
    let mut ends = Vec::new();
    let mut next = world.call_only(call::CPUTS, &[page(0) + 1, 3 * PGSIZE]);
    loop {
        assert_eq!(next, Next::Run(me));
        ends.push(world.console.written.len() as u64);
        if world.console.written.len() as u64 == 3 * PGSIZE {
            break;
        }
        assert_eq!(world.trap(Cause::Timer), Next::Run(EnvIndex::new(1 - me.number())));
        assert_eq!(world.trap(Cause::Timer), Next::Run(me));
        next = world.trap(Cause::Syscall);
    }
    assert_eq!(ends, [PGSIZE, 2 * PGSIZE, 3 * PGSIZE]);
    // A compiler may rely on it that a call keeps its arguments.
    let frame = world.envs.env(me).env_tf;
    assert_eq!((frame.argument(0), frame.argument(1)), (page(0) + 1, 3 * PGSIZE));
    // The next text is printed from its beginning.
    assert_eq!(world.call(call::CPUTS, &[page(0), 3]), 0);
    assert_eq!(world.console.written.len() as u64, 3 * PGSIZE + 3);
}

/// A page fault between two pieces may lead the program elsewhere. The next text does not depend on where the last one
/// was left.
fn cputs_of_another_text_begins_anew<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(2);
    for number in 0..2 {
        assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(number), URW]), 0);
    }
    let (me, long) = (world.me(), [page(0), 2 * PGSIZE]);
    let printed = |world: &mut World<L, F>, text: &[u64; 2], len: u64| {
        world.console.written.clear();
        assert_eq!(world.call_only(call::CPUTS, text), Next::Run(me));
        assert_eq!(world.console.written.len() as u64, len, "{text:x?}");
    };
    printed(&mut world, &long, PGSIZE);
    printed(&mut world, &[0x80_2000, 4], 4);
    assert_eq!(world.console.written, b"data");
    printed(&mut world, &long, PGSIZE);
    for other in [[page(0), PGSIZE + 8], [page(0) + 8, 2 * PGSIZE - 8], long] {
        printed(&mut world, &other, PGSIZE);
    }
    // A text that ends behind all addresses.
    world.console.written.clear();
    let most = L::VA_LAST;
    let other = EnvIndex::new(1 - me.number());
    assert_eq!(world.call_only(call::CPUTS, &[most, most]), Next::Run(other));
    let expected = format!("user_mem_check assertion failure for va {most:08x}");
    assert!(world.said().contains(&expected), "{}", world.said());
    assert_eq!(world.console.written, b"");
}

/// A long text is checked in parts of 1024 pages, all of them before the first byte is printed.
fn cputs_checks_a_long_text_in_parts<L: MemLayout, F: Format + Mmu>() {
    const PAGES: u64 = 2049;
    let mut world = World::<L, F>::with(2);
    let (me, begin) = (world.me(), page(0));
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, begin, URW]), 0);
    for number in 1..PAGES {
        assert_eq!(world.call(call::PAGE_MAP, &[0, begin, 0, page(number), URW]), 0);
    }
    let parts = |world: &mut World<L, F>, pages: u64| -> Vec<(usize, Next)> {
        world.console.written.clear();
        let calls = (0..3).map(|_| {
            let next = world.call_only(call::CPUTS, &[begin + 1, pages * PGSIZE - 1]);
            (world.console.written.len(), next)
        });
        calls.collect()
    };
    let (again, piece) = (Next::Run(me), PGSIZE as usize);
    assert_eq!(parts(&mut world, 1024), [(piece, again), (2 * piece, again), (3 * piece, again)]);
    assert_eq!(parts(&mut world, 1025), [(0, again), (piece, again), (2 * piece, again)]);
    assert_eq!(parts(&mut world, PAGES), [(0, again), (0, again), (piece, again)]);
    let other = Next::Run(EnvIndex::new(1 - me.number()));
    assert_eq!(parts(&mut world, PAGES + 1)[..3], [(0, again), (0, again), (0, other)]);
    let expected = format!("user_mem_check assertion failure for va {:08x}", page(PAGES));
    assert!(world.said().contains(&expected), "{}", world.said());
}

/// A text whose end goes while its beginning is printed ends the program there.
fn cputs_of_memory_that_goes_ends_the_program<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    let child = world.call(call::EXOFORK, &[]) as u64;
    for number in 0..2 {
        assert_eq!(world.call(call::PAGE_ALLOC, &[child, page(number), URW]), 0);
    }
    assert_eq!(world.call(call::ENV_SET_STATUS, &[child, ENV_RUNNABLE.into()]), 0);
    let parent = world.me();
    let Next::Run(index) = world.call_only(call::YIELD, &[]) else { panic!("the child runs") };
    assert_ne!(index, parent);
    assert_eq!(world.call_only(call::CPUTS, &[page(0), 2 * PGSIZE]), Next::Run(index));
    assert_eq!(world.trap(Cause::Timer), Next::Run(parent));
    assert_eq!(world.call(call::PAGE_UNMAP, &[child, page(1)]), 0);
    assert_eq!(world.call_only(call::YIELD, &[]), Next::Run(index));
    assert_eq!(world.trap(Cause::Syscall), Next::Run(parent));
    assert_eq!(world.console.written.len() as u64, PGSIZE);
    let expected = format!("user_mem_check assertion failure for va {:08x}", page(1));
    assert!(world.said().contains(&expected), "{}", world.said());
}

/// The first address that fails is named, and nothing is printed.
fn cputs_of_other_memory_ends_the_program<L: MemLayout, F: Format + Mmu>() {
    let end = 0x80_5000;
    let stack = L::USTACKTOP;
    let most = L::VA_LAST;
    let cases = [
        (0, 1, 0),
        (1, 1, 1),
        (0xFFF, 2, 0xFFF),
        (end - 1, 2, end),
        (end - 5000, most, end),
        (stack - 8, 9, stack),
        (page(3), 1, page(3)),
        (L::UTOP - 1, 1, L::UTOP - 1),
        (L::ULIM - 1, 1, L::ULIM - 1),
        (L::ULIM, 1, L::ULIM),
        (L::KERNBASE + 5, 1, L::KERNBASE + 5),
        (most, 1, most),
        (most, 2, most),
        (1, most, 1),
    ];
    for (va, len, fails) in cases {
        let mut world = World::<L, F>::with(1);
        assert_eq!(
            world.call_only(call::CPUTS, &[va, len]),
            Next::NoneRunnable,
            "{va:#x} {len:#x}"
        );
        let line = format!("[00001000] user_mem_check assertion failure for va {fails:08x}\n");
        assert!(world.said().starts_with(&line), "{va:#x} {len:#x}");
        assert_eq!(world.console.written, b"");
    }
}

on_every_format! {
    cputs_prints_what_the_program_may_read
    cputs_keeps_characters_whole
    cputs_of_a_long_text_gives_way
    cputs_of_another_text_begins_anew
    cputs_checks_a_long_text_in_parts
    cputs_of_memory_that_goes_ends_the_program
    cputs_of_other_memory_ends_the_program
}
