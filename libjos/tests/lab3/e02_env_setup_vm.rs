//! Exercise 2: `env_setup_vm`, as `env_alloc` calls it.

use layout::MemLayout;
use libjos::env::abi::{EnvId, Error};
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::paging::format::{Entry, Format, Geometry};
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;

use crate::by_hand::{FIRST, SECOND, soil};
use crate::complaints::{called, proved};
use crate::rig::World;

lab_tests! {
    e02_env_setup_vm_maps_nothing_below_utop
    e02_env_setup_vm_shares_the_kernels_half
    e02_env_setup_vm_shows_the_directory_at_uvpt
    e02_env_setup_vm_counts_what_it_uses
    e02_env_setup_vm_without_memory_changes_nothing
}

/// Two environments, made of frames that were full of junk.
fn two<L: MemLayout, F: Format + Mmu>() -> World<L, F> {
    let mut world = World::made();
    soil(&world.pmap);
    world.alloc(0);
    world.alloc(0);
    world
}

impl<L: MemLayout, F: Format + Mmu> World<L, F> {
    /// Entry `n` of the root at `root`, and the first address that it decides about.
    fn root_entry(&self, root: PhysAddr, n: usize) -> (F::Word, VirtAddr) {
        let word = self.pmap.machine().load(root + n as u64 * F::Word::BYTES);
        (word, F::address(F::ROOT, VirtAddr::new(0), n))
    }
}

/// The first root entry of the kernel's half.
fn first_of_kernels<L: MemLayout, F: Format>() -> usize {
    F::index(F::ROOT, VirtAddr::new(L::UENVS))
}

fn e02_env_setup_vm_maps_nothing_below_utop<L: MemLayout, F: Format + Mmu>() {
    let world = two::<L, F>();
    for index in [FIRST, SECOND] {
        for n in 0..first_of_kernels::<L, F>() {
            let (word, va) = world.root_entry(world.root(index), n);
            assert!(
                word == F::Word::ZERO,
                "entry {n} (for {va}) of the directory that env_setup_vm makes must be 0, but is {word:#x}: a frame that was not \
                 zeroed?"
            );
        }
    }
}

fn e02_env_setup_vm_shares_the_kernels_half<L: MemLayout, F: Format + Mmu>() {
    let world = two::<L, F>();
    let kern_root = world.pmap.kern_root();
    for index in [FIRST, SECOND] {
        let root = world.root(index);
        assert!(
            root != kern_root,
            "env_setup_vm must make a directory, but the environment has kern_pgdir's, at {root}"
        );
        for n in first_of_kernels::<L, F>()..F::ENTRIES {
            if L::SELF_MAP && n == F::index(F::ROOT, VirtAddr::new(L::UVPT)) {
                continue;
            }
            let ((own, va), (kernels, _)) =
                (world.root_entry(root, n), world.root_entry(kern_root, n));
            let [own, kernels] = [own, kernels].map(|word| F::decode(F::ROOT, word));
            let same = match (own, kernels) {
                (Entry::Table { pa, .. }, Entry::Table { pa: kernels, .. }) => pa == kernels,
                (Entry::Leaf(own), Entry::Leaf(kernels)) => {
                    own.pa == kernels.pa && own.perm == kernels.perm
                }
                (own, kernels) => own == kernels,
            };
            assert!(
                same,
                "entry {n} (for {va}) of the directory that env_setup_vm makes must be kern_pgdir's, {kernels:x?}, but is {own:x?}"
            );
        }
    }
    assert!(
        world.root(FIRST) != world.root(SECOND),
        "env_setup_vm gives two environments one directory, at {}",
        world.root(FIRST)
    );
}

fn e02_env_setup_vm_shows_the_directory_at_uvpt<L: MemLayout, F: Format + Mmu>() {
    let world = two::<L, F>();
    if !L::SELF_MAP {
        return;
    }
    let uvpt = F::index(F::ROOT, VirtAddr::new(L::UVPT));
    for index in [FIRST, SECOND] {
        let root = world.root(index);
        let (word, _) = world.root_entry(root, uvpt);
        let wanted = F::self_map(root).expect("this format has it");
        let whose = match F::decode(F::ROOT, word) {
            Entry::Table { pa, .. } if pa == world.pmap.kern_root() => "kern_pgdir's",
            Entry::Absent => "absent",
            _ => "another",
        };
        assert!(
            word == wanted,
            "the entry at UVPT of the directory that env_setup_vm makes at {root} must lead to that directory, read-only \
             ({wanted:#x}), but is {word:#x}, {whose}"
        );
    }
}

fn e02_env_setup_vm_counts_what_it_uses<L: MemLayout, F: Format + Mmu>() {
    let mut world = two::<L, F>();
    for index in [FIRST, SECOND] {
        let (root, pp_ref) = (world.root(index), world.pp_ref(world.root(index)));
        assert!(
            pp_ref == 1,
            "the directory that env_setup_vm makes at {root} must have pp_ref 1, but has {pp_ref}"
        );
    }
    proved("after env_setup_vm pp_ref must count the uses of each frame", || {
        world.check_counts();
    });
    // All comes back, but for tables that the first one made for all.
    world.envs.env_destroy(&mut world.pmap, SECOND);
    let nfree = world.nfree();
    world.alloc(0);
    world.envs.env_destroy(&mut world.pmap, SECOND);
    assert!(
        world.nfree() == nfree,
        "after env_setup_vm and the environment's end {} frames are free, and {nfree} were before",
        world.nfree()
    );
    proved("after an environment's end pp_ref must count the uses of each frame", || {
        world.check_counts();
    });
}

fn e02_env_setup_vm_without_memory_changes_nothing<L: MemLayout, F: Format + Mmu>() {
    for there_is_one in [false, true] {
        let mut world = World::<L, F>::made();
        if there_is_one {
            world.alloc(0);
        }
        let took = world.with_little_memory("env_setup_vm that failed", |world| {
            let made = called("env_setup_vm without memory", || {
                world.envs.env_alloc(&mut world.pmap, EnvId::NONE)
            });
            assert!(
                matches!(made, Ok(_) | Err(Error::NoMem)),
                "without memory env_setup_vm must give Error::NoMem, but gives {made:?}"
            );
            made.is_ok()
        });
        assert!(took > 0, "env_setup_vm makes a directory though no frame is free");
    }
}
