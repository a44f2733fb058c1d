//! Faults in what UENVS shows, for `check_envs` and `check_kern_pgdir` to name.

use super::*;
use crate::env::Envs;
use crate::paging::error::MapError;
use crate::sim::user::SimFrame;

impl<L: MemLayout, F: Format + Mmu> Sim<L, F> {
    /// Makes the environments' arrays.
    fn init_envs(&mut self) {
        Envs::<SimFrame<F>>::env_init(self).expect("memory for the environments");
    }
}

/// Faults that every machine can have.
pub(super) fn faults<L: MemLayout, F: Format + Mmu>() -> Vec<Fault<L, F>> {
    vec![
        Fault {
            name: "UENVS user-writable",
            run: |pmap| {
                pmap.init_envs();
                pmap.allow(L::UENVS + PGSIZE, Perm::W);
                pmap.checks().check_envs();
            },
            says: "UENVS: ",
        },
        Fault {
            name: "UENVS not user-readable",
            run: |pmap| {
                pmap.init_envs();
                pmap.forbid(L::UENVS, Perm::U);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: UENVS: ",
        },
        Fault {
            name: "a page of UENVS leads elsewhere",
            run: |pmap| {
                pmap.init_envs();
                pmap.change_leaf(L::UENVS + 3 * PGSIZE, |leaf| leaf.pa = leaf.pa + PGSIZE);
                pmap.checks().check_envs();
            },
            says: "UENVS: ",
        },
        Fault {
            name: "a page of UENVS not mapped",
            run: |pmap| {
                pmap.init_envs();
                pmap.unmap(L::UENVS + 2 * PGSIZE);
                pmap.checks().check_envs();
            },
            says: "UENVS: ",
        },
        Fault {
            name: "a page behind the environments mapped",
            run: |pmap| {
                pmap.init_envs();
                pmap.map_page(L::UPAGES - PGSIZE, Perm::UR);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: below UPAGES: ",
        },
        Fault {
            name: "a page below UENVS mapped",
            run: |pmap| {
                pmap.init_envs();
                pmap.map_page(L::UTOP - PGSIZE, Perm::UR);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: below UPAGES: ",
        },
        Fault {
            name: "a frame of the environments used twice",
            run: |pmap| {
                pmap.init_envs();
                let frame = pmap.walk(pmap.kern_pgdir().address(), VirtAddr::new(L::UENVS));
                let Entry::Leaf(leaf) = frame.entry else { panic!("UENVS is not mapped") };
                pmap.change_info(leaf.pa.as_u64(), |info| info.pp_ref_or_prev = 2);
                pmap.checks().check_envs();
            },
            says: "check_envs: page ",
        },
    ]
}

#[test]
fn environments_end_below_upages() {
    let mut pmap = sound::<Jos64, X86_64>(RAM);
    let (start, last) = (PhysAddr::new(MB), VirtAddr::new(Jos64::UPAGES - 1));
    let envs = PhysRange::from_size(start, Jos64::UPAGES - Jos64::UENVS + PGSIZE);
    assert_eq!(pmap.map_envs(envs), Err(MapError::PastEnd { last }));
    let uenvs = VirtAddr::new(Jos64::UENVS);
    assert_eq!(pmap.va2pa(pmap.kern_pgdir(), uenvs), None, "nothing has changed");
    pmap.checks().check_kern_pgdir();
}
