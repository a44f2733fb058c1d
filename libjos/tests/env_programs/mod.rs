//! Bytes as the file of a program: an ELF file, or an archive of them. Whatever they are, nothing panics, a
//! program that is loaded lies where programs may, and all its memory comes back.

use layout::{Jos32, Jos64, JosSv39, MemLayout, PGSIZE};
use libjos::env::archive::Archive;
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::Sv39;
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Format, Perm};
use libjos::sim::mmu::Mmu;

use crate::rig::World;

/// Loads what `bytes` say: the first one picks the machine, the others are the file.
pub(crate) fn run(bytes: &[u8]) {
    let Some((machine, file)) = bytes.split_first() else { return };
    match machine % 3 {
        0 => load::<Jos64, X86_64>(file),
        1 => load::<Jos32, I386>(file),
        _ => load::<JosSv39, Sv39>(file),
    }
}

fn load<L: MemLayout, F: Format + Mmu>(file: &[u8]) {
    // The first program makes the tables that all directories share.
    let mut world = World::<L, F>::with(1);
    load_one(&mut world, file);
    if let Ok(archive) = Archive::new(file) {
        let mut names = Vec::new();
        archive.for_each_name(|name| names.push(name.to_string()));
        for name in names {
            load_one(&mut world, archive.find(&name).expect("a file with that name"));
        }
    }
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
