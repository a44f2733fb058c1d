//! Programs that use the registers in turns, on the simulated processor: each finds its own numbers, whatever the others
//! do.

use layout::PGSIZE;

use super::*;
use crate::arch::host::pc;
use crate::arch::host::process::alone;
use crate::arch::host::processor::{FLOATS, TASK_SWITCHED};

/// The number of steps in a sequence.
const STEPS: u32 = 7;

#[derive(Clone, Copy)]
enum Step {
    /// This program runs.
    Run(usize),
    /// The one that runs reads the registers, and writes to them.
    Use,
    /// The one that runs ends, and another is made in its place.
    End,
    /// No program runs any more.
    Leave,
}

const ALL: [Step; 5] = [Step::Run(0), Step::Run(1), Step::Use, Step::End, Step::Leave];

struct Program {
    id: EnvId,
    page: [u8; PGSIZE as usize],
    has_page: bool,
    /// The bytes that the registers must have.
    expected: [u8; FLOATS],
}

impl Program {
    fn new(id: i32) -> Self {
        let (page, expected) = ([0xEE; PGSIZE as usize], INITIAL_FLOATS);
        Self { id: EnvId(id), page, has_page: false, expected }
    }

    fn page(&mut self) -> VirtAddr {
        VirtAddr::new(self.page.as_mut_ptr().expose_provenance() as u64)
    }
}

fn take(programs: &mut [Program; 2]) {
    let page_of = |id| {
        let owner = programs.iter_mut().find(|program| program.id == id);
        owner.filter(|owner| owner.has_page).map(Program::page)
    };
    take_floats(page_of);
}

fn is_forbidden() -> bool {
    pc().processor.control.cr0 & TASK_SWITCHED != 0
}

/// Every sequence of steps of two programs. Only a use by another program than the last one traps.
#[test]
fn every_program_keeps_its_numbers() {
    alone(|| {
        let mut last_id = 0;
        let mut next_id = || {
            last_id += 1;
            last_id
        };
        for mut sequence in 0..ALL.len().pow(STEPS) {
            let mut programs = [Program::new(next_id()), Program::new(next_id())];
            take_floats(|_| None);
            let (mut runs, mut owner) = (None, None);
            for number in 0..STEPS as u8 {
                let step = ALL[sequence % ALL.len()];
                sequence /= ALL.len();
                match (step, runs) {
                    (Step::Run(program), _) => {
                        lend_floats(programs[program].id, programs[program].has_page);
                        assert_eq!(is_forbidden(), owner != Some(program));
                        runs = Some(program);
                    }
                    (Step::Use, Some(index)) => {
                        if is_forbidden() {
                            take(&mut programs);
                            let program = &mut programs[index];
                            let (page, new) = (program.page(), !program.has_page);
                            give_floats(program.id, page, new);
                            program.has_page = true;
                        }
                        let program = &mut programs[index];
                        let floats = &mut pc().processor.floats;
                        assert_eq!(*floats, program.expected);
                        *floats = [number; FLOATS];
                        program.expected = *floats;
                        owner = Some(index);
                    }
                    (Step::End, Some(index)) => {
                        // The ids of some come back at once.
                        let id = if index == 0 { next_id() } else { programs[index].id.0 };
                        programs[index] = Program::new(id);
                        owner = owner.filter(|owner| *owner != index);
                        runs = None;
                    }
                    (Step::Leave, _) => {
                        take(&mut programs);
                        (runs, owner) = (None, None);
                    }
                    (Step::Use | Step::End, None) => {}
                }
            }
        }
    })
    .assert_returned();
}
