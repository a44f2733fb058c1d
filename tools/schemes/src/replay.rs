//! A trace, replayed on each scheme.

use layout::{Jos64, MB, PGSIZE};
use libjos::mem::addr::{PhysAddr, PhysRange};
use libjos::paging::format::x86_64::X86_64;
use libjos::pmap::mem_init;
use libjos::sim::SimMachine;
use schemes::FrameScheme;
use schemes::Report;
use schemes::bitmap::Bitmap;
use schemes::buddy::Buddy;
use schemes::lists::{AddressOrdered, Fit};
use schemes::page_list::PageList;
use schemes::quick::QuickFit;

use crate::trace::{Event, Trace};

/// The results of a trace on one scheme.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    /// Requests that were not served.
    pub(crate) failed: usize,
    /// The scheme's state after each event.
    pub(crate) reports: Vec<Report>,
}

impl Outcome {
    /// The scheme's state at the end.
    pub(crate) fn last(&self) -> Report {
        *self.reports.last().expect("a trace has events")
    }
}

/// Replays `trace` on all schemes.
pub(crate) fn all(trace: &Trace) -> Vec<Outcome> {
    let frames = trace.frames;
    let mut words = vec![0; frames.div_ceil(u64::BITS as usize)];
    let chunks = || vec![Default::default(); frames];
    let (mut first, mut best, mut quick) = (chunks(), chunks(), chunks());
    let mut blocks = vec![Default::default(); frames];

    // An address at which runs of all sizes may begin.
    let start = PhysAddr::new(128 * MB);
    let range = PhysRange::from_size(start, frames as u64 * PGSIZE);
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(range.end_exclusive.as_u64());
    let mut pmap = mem_init(machine, boot);
    let (machine, pages) = pmap.machine_and_pages();

    let mut schemes: [Box<dyn FrameScheme + '_>; 6] = [
        Box::new(Bitmap::new(&mut words, frames)),
        Box::new(AddressOrdered::new(&mut first, Fit::First)),
        Box::new(AddressOrdered::new(&mut best, Fit::Best)),
        Box::new(QuickFit::new(&mut quick)),
        Box::new(Buddy::new(&mut blocks)),
        Box::new(PageList::new(pages, machine, range)),
    ];
    schemes.iter_mut().map(|scheme| replay(trace, &mut **scheme)).collect()
}

/// Replays a trace on one scheme. Requests that were not served are not freed.
fn replay(trace: &Trace, scheme: &mut dyn FrameScheme) -> Outcome {
    let mut given: Vec<Option<(usize, usize)>> = Vec::new();
    let mut reports = Vec::with_capacity(trace.events.len());
    for event in &trace.events {
        match *event {
            Event::Alloc(count) => given.push(scheme.alloc(count).map(|first| (first, count))),
            Event::Free(request) => {
                if let Some((first, count)) = given[request] {
                    scheme.free(first, count).expect("it was given out");
                }
            }
        }
        reports.push(scheme.report());
    }
    let failed = given.iter().filter(|given| given.is_none()).count();
    Outcome { name: scheme.name(), failed, reports }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_is_asked_for_the_same() {
        let trace = Trace::parse("frames 64\na 3\na 60\na 62\nf 0\nf 1\n").expect("it is sound");
        let outcomes = all(&trace);
        let failed: Vec<usize> = outcomes.iter().map(|outcome| outcome.failed).collect();
        // 3 and 60 do not both fit if sizes are rounded up or runs are aligned; 62 never fits.
        assert_eq!(failed, [1, 1, 1, 1, 2, 2]);
        for outcome in outcomes {
            assert_eq!((outcome.reports.len(), outcome.last().free), (5, 64), "{}", outcome.name);
        }
    }
}
