//! Bytes as the file of a program: an ELF file, or an archive of them. Whatever they are, nothing panics, a
//! program that is loaded lies where programs may, and all its memory comes back.

use std::cell::RefCell;

use layout::{Jos32, Jos64, JosSv39, MemLayout, PGSIZE};
use libjos::env::archive::Archive;
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::Sv39;
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Format, Perm};
use libjos::sim::mmu::Mmu;

use crate::rig::World;

thread_local! {
    // Booting takes far longer than an input, which leaves the machine as it was: so each machine boots once. Its first
    // program makes the tables that all directories share.
    static PC64: RefCell<World<Jos64, X86_64>> = RefCell::new(World::with(1));
    static PC32: RefCell<World<Jos32, I386>> = RefCell::new(World::with(1));
    static RISCV: RefCell<World<JosSv39, Sv39>> = RefCell::new(World::with(1));
}

/// Loads what `bytes` say: the first one picks the machine, the others are the file.
pub(crate) fn run(bytes: &[u8]) {
    let Some((machine, file)) = bytes.split_first() else { return };
    match machine % 3 {
        0 => PC64.with_borrow_mut(|world| load(world, file)),
        1 => PC32.with_borrow_mut(|world| load(world, file)),
        _ => RISCV.with_borrow_mut(|world| load(world, file)),
    }
}

fn load<L: MemLayout, F: Format + Mmu>(world: &mut World<L, F>, file: &[u8]) {
    load_one(world, file);
    if let Ok(archive) = Archive::new(file) {
        let mut names = Vec::new();
        archive.for_each_name(|name| names.push(name.to_string()));
        for name in names {
            load_one(world, archive.find(&name).expect("a file with that name"));
        }
    }
    world.said();
}

fn load_one<L: MemLayout, F: Format + Mmu>(world: &mut World<L, F>, file: &[u8]) {
    let nfree = world.nfree();
    if let Ok(index) = world.envs.env_create(&mut world.pmap, file) {
        let always = F::ALWAYS.contains(Perm::X);
        for leaf in world.pages(index) {
            let last_page = L::USTACKTOP - PGSIZE;
            assert!((PGSIZE..=last_page).contains(&leaf.va.as_u64()), "{leaf:?}");
            assert!(always || !leaf.perm.contains(Perm::W | Perm::X), "{leaf:?}");
            assert!(leaf.perm.contains(Perm::UR) && leaf.size == PGSIZE, "{leaf:?}");
        }
        world.envs.env_destroy(&mut world.pmap, index);
    }
    assert_eq!(world.nfree(), nfree, "memory is lost");
}
