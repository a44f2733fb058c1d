//! Rounds, turns and samples: how times are measured.
//!
//! In each round every contestant of a row has one turn; each round starts with another contestant. A
//! turn warms up, takes samples for a few milliseconds, and keeps their median. The report has the
//! median of the turns, and their quartiles. So a disturbance of the machine affects all contestants.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::memory::Memory;

/// Samples that a turn throws away first.
const WARM_UP: usize = 3;
/// Samples that a turn takes at least.
const SAMPLES: usize = 5;

/// A contestant's role in its row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// The limit that the memory alone sets.
    Limit,
    /// This project.
    Libjos,
    /// Another project.
    Peer,
    /// Shown for comparison; never the best peer.
    Aside,
}

/// A contestant of a row.
#[derive(Clone, Debug)]
pub(crate) struct Contestant {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its role.
    pub(crate) role: Role,
    run: fn(&mut Turn),
    /// A time for each turn, in nanoseconds per operation.
    turns: Vec<f64>,
    /// A remark for the report.
    pub(crate) note: Option<String>,
}

impl Contestant {
    /// A contestant, measured by `run`.
    pub(crate) fn new(role: Role, name: &'static str, run: fn(&mut Turn)) -> Self {
        Self { name, role, run, turns: Vec::new(), note: None }
    }

    /// The median of the turns.
    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The time at `fraction` of the sorted turns: 0.5 is the median.
    pub(crate) fn quantile(&self, fraction: f64) -> f64 {
        quantile(&mut self.turns.clone(), fraction)
    }
}

/// libjos's target in a row: at most a factor of another contestant's time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// The factor.
    pub(crate) at_most: f64,
    /// The other contestant.
    pub(crate) of: Rival,
}

/// The contestant that a target refers to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rival {
    /// The limit.
    Limit,
    /// The best peer.
    BestPeer,
    /// The contestant of this name.
    Named(&'static str),
}

/// A row of the table: contestants that do the same work.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// A short name, for `--only` and for files.
    pub(crate) id: &'static str,
    /// A description of the work.
    pub(crate) title: &'static str,
    /// The unit of its times, in nanoseconds: 1 for ns, 1000 for us.
    pub(crate) unit: f64,
    /// libjos's target.
    pub(crate) target: Option<Target>,
    /// The contestants.
    pub(crate) contestants: Vec<Contestant>,
}

impl Row {
    /// The contestant with the best median among those with `role`.
    pub(crate) fn best(&self, role: Role) -> Option<&Contestant> {
        let of_role = self.contestants.iter().filter(|contestant| contestant.role == role);
        of_role.min_by(|a, b| a.median().total_cmp(&b.median()))
    }

    /// The contestant that the target refers to, if it takes part.
    pub(crate) fn rival(&self, rival: Rival) -> Option<&Contestant> {
        match rival {
            Rival::Limit => self.best(Role::Limit),
            Rival::BestPeer => self.best(Role::Peer),
            Rival::Named(name) => self.contestants.iter().find(|c| c.name == name),
        }
    }
}

/// A contestant's turn in a round.
#[derive(Debug)]
pub(crate) struct Turn {
    /// The memory that all contestants use.
    pub(crate) memory: Memory,
    /// Whether this is the first round, in which results are verified.
    pub(crate) first: bool,
    /// A remark about the contestant, set in the first round.
    pub(crate) note: Option<String>,
    budget: Duration,
    /// The cost of reading the clock.
    clock: f64,
    result: f64,
}

impl Turn {
    /// Takes samples of `run`, each after an untimed `prepare`. A `run` makes `ops` operations.
    pub(crate) fn measure<S>(
        &mut self,
        ops: u64,
        state: &mut S,
        mut prepare: impl FnMut(&mut S),
        mut run: impl FnMut(&mut S),
    ) {
        let begun = Instant::now();
        let mut samples = Vec::new();
        while samples.len() < WARM_UP + SAMPLES || begun.elapsed() < self.budget {
            prepare(black_box(&mut *state));
            let start = Instant::now();
            run(black_box(&mut *state));
            let ns = start.elapsed().as_nanos() as f64;
            samples.push((ns - self.clock).max(0.0) / ops as f64);
        }
        self.result = quantile(&mut samples[WARM_UP..], 0.5);
    }
}

/// Gives each contestant of each row a turn in each round.
pub(crate) fn run(rows: &mut [Row], rounds: usize, budget: Duration) {
    let memory = Memory::new();
    let clock = clock_cost();
    for round in 0..rounds {
        for row in &mut *rows {
            let n = row.contestants.len();
            for i in 0..n {
                let contestant = &mut row.contestants[(i + round) % n];
                let (first, note, result) = (round == 0, None, f64::NAN);
                let mut turn = Turn { memory, first, note, budget, clock, result };
                (contestant.run)(&mut turn);
                assert!(!turn.result.is_nan(), "{} measured nothing", contestant.name);
                contestant.turns.push(turn.result);
                contestant.note = contestant.note.take().or(turn.note);
            }
        }
    }
}

/// Nanoseconds between two successive readings of the clock.
fn clock_cost() -> f64 {
    let mut samples: Vec<f64> =
        (0..1000).map(|_| Instant::now().elapsed().as_nanos() as f64).collect();
    quantile(&mut samples, 0.5)
}

fn quantile(samples: &mut [f64], fraction: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[(fraction * (samples.len() - 1) as f64).round() as usize]
}
