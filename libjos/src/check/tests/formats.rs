//! Page-table formats with a fault: `mem_init`'s own checks must name it.

use core::marker::PhantomData;

use super::*;
use crate::sim::mmu::Kind;

/// The fault of a format.
trait Wrong: 'static {
    /// Changes what is asked for, before it becomes an entry.
    fn encode(_level: u32, _leaf: &mut Leaf) {}
    /// Changes what an entry says.
    fn decode(_level: u32, _leaf: &mut Leaf) {}
}

/// The format of x86-64, with a fault.
#[derive(Debug)]
struct Faulty<W>(PhantomData<fn() -> W>);

impl<W: Wrong> Format for Faulty<W> {
    const NAME: &'static str = X86_64::NAME;
    type Word = <X86_64 as Format>::Word;
    const LEVELS: u32 = X86_64::LEVELS;
    const INDEX_BITS: u32 = X86_64::INDEX_BITS;
    const LEAF_LEVELS: u32 = X86_64::LEAF_LEVELS;
    const SELF_MAP: bool = X86_64::SELF_MAP;
    const PA_END: u64 = X86_64::PA_END;
    const AVAIL: Perm = X86_64::AVAIL;
    const USER_GUARD: &'static str = X86_64::USER_GUARD;
    const ALWAYS: Perm = X86_64::ALWAYS;

    fn table(pa: PhysAddr) -> Self::Word {
        X86_64::table(pa)
    }

    fn self_map(pa: PhysAddr) -> Option<Self::Word> {
        X86_64::self_map(pa)
    }

    fn encode(level: u32, leaf: &Leaf) -> Self::Word {
        let mut leaf = *leaf;
        W::encode(level, &mut leaf);
        X86_64::encode(level, &leaf)
    }

    fn pending(entry: Self::Word) -> Self::Word {
        X86_64::pending(entry)
    }

    fn decode(level: u32, entry: Self::Word) -> Entry {
        match X86_64::decode(level, entry) {
            Entry::Leaf(mut leaf) => {
                W::decode(level, &mut leaf);
                Entry::Leaf(leaf)
            }
            other => other,
        }
    }
}

impl<W: Wrong> Mmu for Faulty<W> {
    const KIND: Kind = X86_64::KIND;
}

/// `mem_init` panics with a message that contains `says`.
fn is_caught<W: Wrong>(says: &str) {
    let (machine, boot) = SimMachine::<Jos64, Faulty<W>>::new(RAM);
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| mem_init(machine, boot))) else {
        panic!("no check noticed, which should say: {says}")
    };
    let said = message(&*panic);
    assert!(said.contains(says), "the check said: {said}");
}

#[test]
fn user_code_is_not_executable() {
    enum Fault {}
    impl Wrong for Fault {
        fn encode(_: u32, leaf: &mut Leaf) {
            if leaf.perm.contains(Perm::U) {
                leaf.perm -= Perm::X;
            }
        }
    }
    is_caught::<Fault>("check_page: 0x1000 must lead to ");
}

#[test]
fn what_is_writable_is_not_global() {
    enum Fault {}
    impl Wrong for Fault {
        fn encode(_: u32, leaf: &mut Leaf) {
            if leaf.perm.contains(Perm::W) {
                leaf.perm -= Perm::G;
            }
        }
    }
    is_caught::<Fault>(&std::format!("check_page: {:#x} must lead to ", Jos64::MMIOLIM - PGSIZE));
}

#[test]
fn large_pages_lead_elsewhere() {
    enum Fault {}
    impl Wrong for Fault {
        fn decode(level: u32, leaf: &mut Leaf) {
            if level > 0 {
                leaf.pa = leaf.pa + PGSIZE;
            }
        }
    }
    is_caught::<Fault>("check_page: 0x201000 in a large page leads to ");
}
