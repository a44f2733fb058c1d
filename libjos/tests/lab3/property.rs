//! Long sequences of calls, accesses and faults beside a plain model, and programs of any shape: the grader's own tests.
//! `LAB_SEED` repeats one.

#[path = "../env_model/mod.rs"]
#[allow(dead_code, reason = "a fuzz target uses a part of it")]
mod env_model;

use std::collections::BTreeMap;
use std::iter::once;

use arbitrary::Unstructured;
use layout::{MemLayout, PGSIZE};
use libjos::machine::PhysMem;
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::sim::mmu::Mmu;

use crate::by_hand::FIRST;
use crate::complaints::{called, proved};
use crate::rig::World;
use crate::rig::elf::{Part, R, W, X, elf_of};

lab_tests! {
    h01_environments_do_what_the_model_does
    h02_programs_are_loaded_and_their_memory_is_checked
}

/// Sequences of operations, and programs, on each machine.
const SEQUENCES: usize = 24;
const PROGRAMS: usize = 8;

/// Does a test with fresh numbers, by `LAB_SEED` or the time. If it fails, its words have the seed.
fn with_numbers(what: &str, test: impl FnOnce(&mut Numbers)) {
    let given = std::env::var("LAB_SEED").ok().and_then(|seed| seed.parse().ok());
    let time = || std::time::UNIX_EPOCH.elapsed().map_or(1, |time| time.subsec_nanos().into());
    let seed: u64 = given.unwrap_or_else(time);
    proved(&format!("{what} (LAB_SEED={seed})"), || test(&mut Numbers(seed)));
}

/// A source of numbers that look random: SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn bytes(&mut self, n: u64) -> Vec<u8> {
        (0..n).map(|_| self.next() as u8).collect()
    }
}

fn h01_environments_do_what_the_model_does<L: MemLayout, F: Format + Mmu>() {
    with_numbers("calls, faults and messages in random order, beside a plain model", |numbers| {
        for _ in 0..SEQUENCES {
            let length = 200 + numbers.below(1000);
            env_model::follow::<L, F>(Unstructured::new(&numbers.bytes(length)));
        }
    });
}

/// A program's pages as its file says: permissions and contents.
type Pages = BTreeMap<u64, (Perm, Vec<u8>)>;

/// A program of some segments. The second one is code, in which it begins. No page is both written and executed.
fn program(numbers: &mut Numbers) -> Vec<Part> {
    let (mut va, mut parts) = (0x20_0000 + numbers.below(3 * PGSIZE), Vec::<Part>::new());
    for n in 0..2 + numbers.below(3) {
        let flags = if n == 1 { R | X } else { [R, R | W][numbers.below(2) as usize] };
        if parts.last().is_some_and(|last| last.flags != flags) {
            va = va.next_multiple_of(PGSIZE);
        }
        va += [0, numbers.below(64), numbers.below(3 * PGSIZE)][numbers.below(3) as usize];
        let size = 1 + numbers.below(2 * PGSIZE + 100);
        let length = numbers.below(size + 1);
        parts.push(Part { va, flags, size, bytes: numbers.bytes(length) });
        va += size;
    }
    parts
}

fn pages_of<L: MemLayout>(parts: &[Part]) -> Pages {
    let mut pages = Pages::new();
    let stack = Part { va: L::USTACKTOP - PGSIZE, flags: R | W, size: PGSIZE, bytes: Vec::new() };
    for part in parts.iter().chain(once(&stack)) {
        let mut has = Perm::UR;
        has.set(Perm::W, part.flags & W != 0);
        has.set(Perm::X, part.flags & X != 0);
        for va in part.va..part.va + part.size {
            let page = pages.entry(va - va % PGSIZE).or_insert((has, vec![0; PGSIZE as usize]));
            page.0 |= has;
            page.1[(va % PGSIZE) as usize] =
                part.bytes.get((va - part.va) as usize).copied().unwrap_or(0);
        }
    }
    pages
}

fn h02_programs_are_loaded_and_their_memory_is_checked<L: MemLayout, F: Format + Mmu>() {
    with_numbers("programs of any shape", load_programs::<L, F>);
}

fn load_programs<L: MemLayout, F: Format + Mmu>(numbers: &mut Numbers) {
    let mut world = World::<L, F>::made();
    let first = world.alloc(0);
    world.envs.env_destroy(&mut world.pmap, first);
    let nfree = world.nfree();
    for _ in 0..PROGRAMS {
        let parts = program(numbers);
        let pages = pages_of::<L>(&parts);
        let shown: Vec<_> =
            parts.iter().map(|part| (part.va, part.size, part.bytes.len())).collect();
        let made =
            called("env_create", || world.envs.env_create(&mut world.pmap, &elf_of::<F>(&parts)));
        assert!(
            made == Ok(FIRST),
            "env_create of the segments {shown:x?} (address, size, bytes) gives {made:?}"
        );
        let found: Vec<_> =
            world.pages(FIRST).iter().map(|leaf| (leaf.va.as_u64(), leaf.perm)).collect();
        let wanted: Vec<_> =
            pages.iter().map(|(va, (perm, _))| (*va, F::effective(*perm))).collect();
        assert!(
            found == wanted,
            "env_create of the segments {shown:x?} (address, size, bytes) must map {wanted:x?}, but maps {found:x?}"
        );
        for leaf in world.pages(FIRST) {
            let mut bytes = vec![0; PGSIZE as usize];
            world.pmap.machine().load_bytes(leaf.pa, &mut bytes);
            let wanted = &pages[&leaf.va.as_u64()].1;
            let other = (0..bytes.len()).find(|n| bytes[*n] != wanted[*n]);
            assert!(
                other.is_none(),
                "env_create of the segments {shown:x?} (address, size, bytes): byte {other:x?} of the page at {} is wrong",
                leaf.va
            );
        }
        check(numbers, &world, &pages);
        world.envs.env_destroy(&mut world.pmap, FIRST);
        assert!(
            world.nfree() == nfree,
            "after env_create of the segments {shown:x?} and the program's end {} frames are free, and {nfree} were before",
            world.nfree()
        );
    }
    world.check_counts();
}

/// `user_mem_check` of any ranges near the program's pages says what they say.
fn check<L: MemLayout, F: Format + Mmu>(numbers: &mut Numbers, world: &World<L, F>, pages: &Pages) {
    let starts: Vec<u64> = pages.keys().copied().collect();
    for _ in 0..60 {
        let near = starts[numbers.below(starts.len() as u64) as usize];
        let (va, len) = (near - 100 + numbers.below(PGSIZE + 200), numbers.below(3 * PGSIZE));
        let perm = [Perm::UR, Perm::URW][numbers.below(2) as usize];
        let may = |va: &u64| {
            let has = pages.get(&(va - va % PGSIZE)).map(|(has, _)| F::effective(*has));
            has.is_some_and(|has| has.contains(perm))
        };
        // Above the stack is a gap, and then nothing of the program's.
        let wanted = (va..va + len).find(|va| !may(va)).map_or(Ok(()), Err);
        world.check_must(va, len, perm, wanted);
    }
}
