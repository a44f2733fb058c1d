//! Exercise 1: `env_init`.

use layout::MemLayout;
use libjos::env::EnvIndex;
use libjos::env::abi::{ENV_FREE, NENV};
use libjos::paging::format::Format;
use libjos::sim::mmu::Mmu;

use crate::rig::World;

lab_tests! {
    e01_env_init_lists_the_lowest_slot_first
    e01_env_init_makes_no_environment
}

fn e01_env_init_lists_the_lowest_slot_first<L: MemLayout, F: Format + Mmu>() {
    let world = World::<L, F>::made();
    let mut listed = world.envs.free_slots().map(EnvIndex::number);
    let first = listed.next();
    assert!(
        first == Some(0),
        "after env_init the list of free slots must begin with envs[0], but begins with {}",
        first.map_or("none".into(), |slot| format!("envs[{slot}]"))
    );
    for slot in 1..NENV {
        let next = listed.next().map_or("none".into(), |slot| format!("envs[{slot}]"));
        assert!(
            next == format!("envs[{slot}]"),
            "after env_init envs[{slot}] must follow envs[{}] on the list of free slots, but {next} does",
            slot - 1
        );
    }
    let further = listed.next();
    assert!(
        further.is_none(),
        "after env_init the list of free slots must end after {NENV} slots, but {further:?} follows: a circle?"
    );
}

fn e01_env_init_makes_no_environment<L: MemLayout, F: Format + Mmu>() {
    let world = World::<L, F>::made();
    let (all, current) = (world.envs.all().count(), world.envs.curenv());
    assert!(all == 0, "after env_init there must be no environment, but there are {all}");
    assert!(current.is_none(), "after env_init no environment must run, but {current:?} does");
    for index in EnvIndex::all() {
        let (slot, env) = (index.number(), world.envs.env(index));
        assert!(
            env.env_status == ENV_FREE && env.env_id.0 == 0,
            "after env_init envs[{slot}] must be ENV_FREE with env_id 0, but its status is {} and its id {}",
            env.env_status,
            env.env_id
        );
    }
}
