//! Exercise 11: `sched_yield`.

use layout::MemLayout;
use libjos::env::abi::{ENV_NOT_RUNNABLE, ENV_RUNNABLE};
use libjos::env::{EnvIndex, Next};
use libjos::mem::addr::VirtAddr;
use libjos::paging::format::Format;
use libjos::paging::format::Perm;
use libjos::sim::mmu::Mmu;

use crate::by_hand::{FIRST, FIRST_ID, SECOND, THIRD};
use crate::calls::{ENV_DESTROY, ENV_SET_STATUS, YIELD};
use crate::complaints::{called, next};
use crate::rig::{World, page};

lab_tests! {
    e11_sched_yield_goes_round
    e11_sched_yield_passes_over_those_that_wait
    e11_sched_yield_lets_the_caller_go_on_if_it_is_alone
    e11_sched_yield_begins_behind_one_that_has_ended
    e11_sched_yield_changes_nothing_itself
    e11_sched_yield_when_none_can_run
}

impl<L: MemLayout, F: Format + Mmu> World<L, F> {
    /// Calls `sched_yield`, which must pick that one, and makes it run.
    fn picks(&mut self, wanted: usize, when: &str) {
        let found = called("sched_yield", || self.envs.sched_yield(&mut self.pmap));
        self.picked(Some(found), wanted, when);
    }

    fn picked(&mut self, found: Option<Next>, wanted: usize, when: &str) {
        let wanted = Next::Run(EnvIndex::new(wanted));
        let found = found.expect("sched_yield is there");
        assert!(
            found == wanted,
            "sched_yield {when}: {} must be picked, but {}",
            next(wanted).replace(" runs", ""),
            next(found)
        );
        self.go(found);
    }

    fn set_status(&mut self, index: EnvIndex, status: u32) {
        let id = u64::from(self.envs.id(index).0.cast_unsigned());
        self.must(ENV_SET_STATUS, &[id, u64::from(status)], 0);
    }
}

fn e11_sched_yield_goes_round<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::made();
    (0..4).for_each(|_| {
        world.alloc(0);
    });
    // Nobody has run.
    for (turn, wanted) in [0, 1, 2, 3, 0, 1, 2, 3, 0].into_iter().enumerate() {
        world.picks(wanted, &format!("of four runnable environments, turn {turn}"));
    }
    // After one far up, the first one comes.
    let mut world = World::<L, F>::family(70);
    for wanted in (1..=70).chain([0, 1, 2]) {
        world.picks(wanted, "of 71 environments");
    }
    let mut world = World::<L, F>::family(3);
    for wanted in [1, 2, 3, 0, 1] {
        let found = world.gives_way(YIELD, &[]);
        world.picked(found, wanted, "for sys_yield of the one before");
    }
}

fn e11_sched_yield_passes_over_those_that_wait<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(4);
    for index in [SECOND, EnvIndex::new(3)] {
        world.set_status(index, ENV_NOT_RUNNABLE);
    }
    for wanted in [2, 4, 0, 2, 4, 0] {
        world.picks(wanted, "of envs[0], [2] and [4]; [1] and [3] are ENV_NOT_RUNNABLE");
    }
    world.set_status(SECOND, ENV_RUNNABLE);
    for wanted in [1, 2, 4, 0] {
        world.picks(wanted, "of envs[0], [1], [2] and [4]; [3] is ENV_NOT_RUNNABLE");
    }
    // The caller itself comes last, though it is ENV_RUNNABLE too.
    let found = world.gives_way(ENV_SET_STATUS, &[0, u64::from(ENV_RUNNABLE)]);
    world.picked(found, 1, "after the caller, envs[0], has made itself ENV_RUNNABLE");
    for wanted in [2, 4, 0] {
        world.picks(wanted, "of envs[0], [1], [2] and [4]; [3] is ENV_NOT_RUNNABLE");
    }
    // The caller itself waits.
    let found = world.gives_way(ENV_SET_STATUS, &[0, u64::from(ENV_NOT_RUNNABLE)]);
    world.picked(found, 1, "after the caller, envs[0], has made itself ENV_NOT_RUNNABLE");
    for wanted in [2, 4, 1] {
        world.picks(wanted, "of envs[1], [2] and [4]; [0] and [3] are ENV_NOT_RUNNABLE");
    }
}

fn e11_sched_yield_lets_the_caller_go_on_if_it_is_alone<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(2);
    for index in [SECOND, THIRD] {
        world.set_status(index, ENV_NOT_RUNNABLE);
    }
    for _ in 0..3 {
        world.picks(0, "of the caller alone, which is ENV_RUNNING");
    }
    // It gives way, as ENV_RUNNABLE, and its turn comes again.
    let found = world.gives_way(ENV_SET_STATUS, &[0, u64::from(ENV_RUNNABLE)]);
    world.picked(found, 0, "of the caller alone, which has made itself ENV_RUNNABLE");
    let runs = world.envs.env(FIRST).env_runs;
    assert!(
        runs == 1,
        "an environment that goes on is not switched to: env_runs must be 1, but is {runs}"
    );
    assert!(world.said().is_empty(), "sched_yield must print nothing while one can run");
}

fn e11_sched_yield_begins_behind_one_that_has_ended<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(3);
    world.picks(1, "of four");
    world.picks(2, "of four");
    let found = world.gives_way(ENV_DESTROY, &[0]);
    world.picked(found, 3, "after the caller, envs[2], has ended");
    world.picks(0, "of envs[0], [1] and [3]");
    // A slot that is used anew has its turn where it lies.
    world.alloc(FIRST_ID);
    for wanted in [1, 2, 3, 0] {
        world.picks(wanted, "of four, one of them new");
    }
    // Another one than the caller ends.
    world.must(ENV_DESTROY, &[0x2002], 0);
    for wanted in [1, 3, 0] {
        world.picks(wanted, "of envs[0], [1] and [3]; [2] has ended");
    }
}

fn e11_sched_yield_changes_nothing_itself<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(2);
    let before = world.state();
    for _ in 0..2 {
        let found = called("sched_yield", || world.envs.sched_yield(&mut world.pmap));
        assert!(
            found == Next::Run(SECOND),
            "sched_yield, whose choice was not followed by env_run, must pick envs[1] again, but {}",
            next(found)
        );
    }
    world.assert_unchanged(&before, "sched_yield (which only picks: env_run changes statuses)");
    let current = world.envs.curenv();
    assert!(
        current == Some(FIRST),
        "sched_yield must leave curenv, envs[0], but it is {current:?}"
    );
}

fn e11_sched_yield_when_none_can_run<L: MemLayout, F: Format + Mmu>() {
    const NONE: &str = "No runnable environments in the system!\n";
    const GONE: &str = "Destroyed the only environment - nothing more to do!\n";
    for ends in [false, true] {
        let mut world = World::<L, F>::family(0);
        world.put(FIRST, page(0), Perm::URW);
        let found = match ends {
            true => world.gives_way(ENV_DESTROY, &[0]),
            false => world.gives_way(ENV_SET_STATUS, &[0, u64::from(ENV_NOT_RUNNABLE)]),
        };
        let how = if ends { "has ended" } else { "is ENV_NOT_RUNNABLE" };
        assert!(
            found == Some(Next::NoneRunnable),
            "sched_yield after the only environment {how} must give NoneRunnable, but gives {found:?}"
        );
        let (said, wanted) =
            (world.said(), if ends { format!("{NONE}{GONE}") } else { NONE.into() });
        assert!(
            said.ends_with(&wanted) && said.contains(GONE) == ends,
            "sched_yield after the only environment {how} must print {wanted:?} (sched_halt does), but {said:?} is printed"
        );
        let current = world.envs.curenv();
        assert!(
            current.is_none(),
            "after sched_yield found none curenv must be None, but is {current:?}"
        );
        let read = world.pmap.machine_mut().user_load(VirtAddr::new(page(0)));
        assert!(
            read.is_err(),
            "after sched_yield found none kern_pgdir must be loaded, but the program's memory is there"
        );
    }
}
