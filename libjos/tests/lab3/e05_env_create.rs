//! Exercise 5: `env_create`.

use layout::{MemLayout, PGSIZE};
use libjos::env::abi::{ENV_RUNNABLE, ENV_TYPE_USER, EnvId, NENV};
use libjos::env::{EnvIndex, LoadError, TrapFrame};
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;

use crate::by_hand::FIRST;
use crate::complaints::called;
use crate::rig::World;
use crate::rig::elf::{elf_of, hello};

lab_tests! {
    e05_env_create_makes_an_environment_that_can_run
    e05_env_create_begins_at_the_programs_entry
    e05_env_create_without_memory_leaves_nothing
    e05_env_create_without_a_slot_says_so
}

impl<L: MemLayout, F: Format + Mmu> World<L, F> {
    fn create(&mut self) -> Result<EnvIndex, LoadError> {
        let file = elf_of::<F>(&hello());
        called("env_create", || self.envs.env_create(&mut self.pmap, &file))
    }
}

fn e05_env_create_makes_an_environment_that_can_run<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::made();
    for slot in 0..3 {
        let made = world.create();
        assert!(
            made == Ok(EnvIndex::new(slot)),
            "env_create must give the first free slot, envs[{slot}], but gives {made:?}"
        );
        let env = world.envs.env(EnvIndex::new(slot));
        let wanted = (0x1000 + slot as i32, 0, ENV_TYPE_USER, ENV_RUNNABLE, 0);
        let found = (env.env_id.0, env.env_parent_id.0, env.env_type, env.env_status, env.env_runs);
        assert!(
            found == wanted,
            "after env_create id, parent, type, status and runs must be {wanted:x?}, but are {found:x?}"
        );
        let (line, said) = (format!("[00000000] new env {:08x}\n", wanted.0), world.said());
        assert!(
            said == line,
            "env_create must print {line:?} (env_alloc does), but {said:?} is printed"
        );
    }
    assert!(world.envs.curenv().is_none(), "env_create must not make an environment run");
}

fn e05_env_create_begins_at_the_programs_entry<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::made();
    world.create().unwrap();
    let frame = world.envs.env(FIRST).env_tf;
    let (pc, sp) = (frame.pc().as_u64(), frame.sp().as_u64());
    assert!(
        pc == 0x80_0020,
        "env_create: the program must begin at its entry, 0x800020, but begins at {pc:#x}"
    );
    assert!(
        sp == L::USTACKTOP,
        "env_create: the stack pointer must be USTACKTOP ({:#x}), but is {sp:#x}",
        L::USTACKTOP
    );
    let other = frame.registers.iter().any(|register| *register != F::Word::ZERO);
    assert!(!other, "env_create: all other registers must be 0, but are {:x?}", frame.registers);
    for (va, perm) in [(0x80_0000, Perm::UR | Perm::X), (L::USTACKTOP - PGSIZE, Perm::URW)] {
        let has = world.mapped(FIRST, va).map(|(_, perm)| perm);
        assert!(
            has == Some(F::effective(perm)),
            "after env_create the page at {va:#x} must have {perm}, but has {has:?} (load_icode maps it)"
        );
    }
}

fn e05_env_create_without_memory_leaves_nothing<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::made();
    world.create().unwrap();
    let took = world.with_little_memory("env_create that failed", |world| {
        let made = world.create();
        assert!(
            matches!(made, Ok(_) | Err(LoadError::NoMemory)),
            "without memory env_create must give LoadError::NoMemory, but gives {made:?}"
        );
        made.is_ok()
    });
    assert!(
        took > 7,
        "env_create says that {took} frames are enough for 7 pages, their tables and a directory"
    );
    let slot = world.envs.all().last().map(|(index, _)| index.number());
    assert!(
        slot == Some(1),
        "after env_create has failed its slot must be free again, but the next environment gets {slot:?}, not 1"
    );
}

fn e05_env_create_without_a_slot_says_so<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::empty();
    for _ in 0..NENV {
        world.envs.env_alloc(&mut world.pmap, EnvId::NONE).unwrap();
    }
    let (nfree, made) = (world.nfree(), world.create());
    assert!(
        made == Err(LoadError::NoFreeEnv),
        "env_create without a free slot must give LoadError::NoFreeEnv, but gives {made:?}"
    );
    assert!(
        world.nfree() == nfree,
        "env_create without a free slot takes {} frames",
        nfree - world.nfree()
    );
}
