//! Exercise 6: `env_run`.

use std::mem::offset_of;

use layout::MemLayout;
use libjos::env::abi::{ENV_NOT_RUNNABLE, ENV_RUNNABLE, ENV_RUNNING};
use libjos::env::{EnvIndex, Next};
use libjos::machine::PhysMem;
use libjos::mem::addr::VirtAddr;
use libjos::paging::format::{Format, Perm};
use libjos::sim::mmu::Mmu;

use crate::by_hand::{E, FIRST, SECOND, THIRD};
use crate::complaints::{called, reached};
use crate::rig::{World, page};

lab_tests! {
    e06_env_run_makes_an_environment_the_one_that_runs
    e06_env_run_returns_the_frame
    e06_env_run_loads_the_directory
    e06_env_run_leaves_the_old_one_runnable
    e06_env_run_counts_switches
    e06_env_run_leaves_one_that_waits_waiting
    e06_env_run_keeps_which_one_ran_last
}

/// Three environments, none of which has run.
fn three<L: MemLayout, F: Format + Mmu>() -> World<L, F> {
    let mut world = World::made();
    (0..3).for_each(|_| {
        world.alloc(0);
    });
    world
}

impl<L: MemLayout, F: Format + Mmu> World<L, F> {
    fn assert_status(&self, index: EnvIndex, wanted: u32, when: &str) {
        let names = ["ENV_FREE", "ENV_DYING", "ENV_RUNNABLE", "ENV_RUNNING", "ENV_NOT_RUNNABLE"];
        let status = self.envs.env(index).env_status;
        assert!(
            status == wanted,
            "{when} the status of envs[{}] must be {}, but is {}",
            index.number(),
            names[wanted as usize],
            names.get(status as usize).copied().unwrap_or("no status")
        );
    }
}

fn e06_env_run_makes_an_environment_the_one_that_runs<L: MemLayout, F: Format + Mmu>() {
    let mut world = three::<L, F>();
    for index in [SECOND, FIRST, THIRD] {
        world.run(index);
        let (slot, current) = (index.number(), world.envs.curenv());
        assert!(
            current == Some(index),
            "after env_run of envs[{slot}] curenv must be that one, but is {current:?}"
        );
        world.assert_status(index, ENV_RUNNING, &format!("after env_run of envs[{slot}]"));
        assert!(
            world.envs.stopped() == Some(index),
            "after env_run of envs[{slot}] it must be the one that runs"
        );
    }
}

fn e06_env_run_returns_the_frame<L: MemLayout, F: Format + Mmu>() {
    let mut world = three::<L, F>();
    for index in [FIRST, SECOND, SECOND, FIRST] {
        let frame = called("env_run", || world.envs.env_run(&mut world.pmap, index));
        let wanted = world.envs.frame(index);
        assert!(
            frame == wanted,
            "env_run of envs[{}] must return where its frame lies, {wanted:?}, but returns {frame:?}",
            index.number()
        );
    }
}

fn e06_env_run_loads_the_directory<L: MemLayout, F: Format + Mmu>() {
    let mut world = three::<L, F>();
    for (index, value) in [(FIRST, 11_u64), (SECOND, 22)] {
        let pa = world.put(index, page(0), Perm::URW);
        world.pmap.machine().store(pa, value);
    }
    for (index, value) in [(FIRST, 11), (SECOND, 22), (FIRST, 11), (FIRST, 11)] {
        world.run(index);
        let read = world.pmap.machine_mut().user_load(VirtAddr::new(page(0)));
        assert!(
            read == Ok(value),
            "after env_run of envs[{}] the processor must see its memory, {value} at {:#x}, but sees {read:?}: which directory is \
             loaded?",
            index.number(),
            page(0)
        );
    }
    // One without memory.
    world.run(THIRD);
    let read = world.pmap.machine_mut().user_load(VirtAddr::new(page(0)));
    assert!(
        read.is_err(),
        "after env_run of envs[2], which has no memory, the processor sees {read:?} at {:#x}, another's",
        page(0)
    );
    // The kernel may have used its own directory meanwhile.
    world.run(FIRST);
    world.pmap.switchkvm();
    world.run(FIRST);
    let read = world.pmap.machine_mut().user_load(VirtAddr::new(page(0)));
    assert!(
        read == Ok(11),
        "after switchkvm and env_run of envs[0], which ran before, the processor must see its memory, but sees {read:?}: \
         which directory is loaded?"
    );
}

fn e06_env_run_leaves_the_old_one_runnable<L: MemLayout, F: Format + Mmu>() {
    let mut world = three::<L, F>();
    world.run(FIRST);
    world.run(SECOND);
    let when = "after env_run of envs[0], and then of envs[1],";
    world.assert_status(FIRST, ENV_RUNNABLE, when);
    world.assert_status(SECOND, ENV_RUNNING, when);
    world.assert_status(THIRD, ENV_RUNNABLE, when);
    // The one that runs goes on.
    world.run(SECOND);
    world.assert_status(SECOND, ENV_RUNNING, "after env_run of envs[1], which runs,");
}

fn e06_env_run_counts_switches<L: MemLayout, F: Format + Mmu>() {
    let mut world = three::<L, F>();
    let mut wanted = [0; 3];
    for (index, switches) in [
        (FIRST, true),
        (FIRST, false),
        (SECOND, true),
        (FIRST, true),
        (FIRST, false),
        (THIRD, true),
    ] {
        world.run(index);
        wanted[index.number()] += u32::from(switches);
        let found = [FIRST, SECOND, THIRD].map(|index| world.envs.env(index).env_runs);
        let how = if switches { "a switch" } else { "no switch, since it runs" };
        assert!(
            found == wanted,
            "after env_run of envs[{}] ({how}) env_runs must be {wanted:?}, but are {found:?}",
            index.number()
        );
    }
}

fn e06_env_run_leaves_one_that_waits_waiting<L: MemLayout, F: Format + Mmu>() {
    let mut world = three::<L, F>();
    world.run(FIRST);
    // As a call leaves it that waits for a message.
    world.set(FIRST, offset_of!(E<F>, env_status), ENV_NOT_RUNNABLE);
    world.run(SECOND);
    let when = "after env_run of envs[1], while envs[0], which ran before, waits for a message,";
    world.assert_status(FIRST, ENV_NOT_RUNNABLE, when);
}

/// `sched_yield` goes on behind that one, if it is there yet.
fn e06_env_run_keeps_which_one_ran_last<L: MemLayout, F: Format + Mmu>() {
    let mut world = three::<L, F>();
    for (index, wanted) in [(FIRST, SECOND), (SECOND, THIRD), (THIRD, FIRST), (SECOND, THIRD)] {
        world.run(index);
        let found = reached(11, "sched_yield", || world.envs.sched_yield(&mut world.pmap));
        assert!(
            found.is_none_or(|found| found == Next::Run(wanted)),
            "after env_run of envs[{}] self.last must be that one, so that sched_yield picks envs[{}], but it gives {found:?}",
            index.number(),
            wanted.number()
        );
    }
}
