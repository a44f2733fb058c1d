//! A trace: requests for frames and when they are given back, as text.
//!
//! The first line is `frames N`. Then a line for each event: `a N` asks for N frames side by
//! side, `f I` gives back what the I-th request (from 0 on) had. Lines that begin with `#` are
//! comments.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::fmt::Write;

/// The trace that comes with the program; [`generate`] made it.
pub(crate) const MIXED: &str = include_str!("../traces/mixed.trace");

/// An event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// So many frames are asked for.
    Alloc(usize),
    /// What that request had is given back.
    Free(usize),
}

/// Requests to a scheme.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Trace {
    /// Frames that there are.
    pub(crate) frames: usize,
    pub(crate) events: Vec<Event>,
}

/// The most frames that a trace may have: 128 MB.
const MOST_FRAMES: usize = 1 << 15;

impl Trace {
    /// Reads a trace; an error says what is wrong with which line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut lines =
            text.lines().zip(1..).filter(|(line, _)| !line.starts_with('#') && !line.is_empty());
        let (first, _) = lines.next().ok_or("the trace is empty")?;
        let frames = first.strip_prefix("frames ").and_then(|count| count.parse().ok());
        let frames = frames.filter(|frames| (1..=MOST_FRAMES).contains(frames)).ok_or(format!(
            "the trace must begin with a line \"frames N\", N from 1 to {MOST_FRAMES}"
        ))?;
        let mut events = Vec::new();
        let mut open = BTreeSet::new();
        let mut requests = 0;
        for (line, number) in lines {
            let wrong = |why: &str| format!("line {number} of the trace, \"{line}\": {why}");
            let (what, value) = line.split_once(' ').ok_or(wrong("\"a N\" or \"f I\" expected"))?;
            let value: usize = value.parse().map_err(|_| wrong("that is no number"))?;
            events.push(match what {
                "a" if (1..=frames).contains(&value) => {
                    open.insert(requests);
                    requests += 1;
                    Event::Alloc(value)
                }
                "a" => return Err(wrong("so many frames there are not")),
                "f" if open.remove(&value) => Event::Free(value),
                "f" => return Err(wrong("that request has nothing to give back")),
                _ => return Err(wrong("\"a N\" or \"f I\" expected")),
            });
        }
        if requests == 0 {
            return Err("the trace asks for nothing".into());
        }
        Ok(Self { frames, events })
    }
}

/// A sequence that looks random: xorshift64 (Marsaglia, "Xorshift RNGs", 2003).
struct Random(u64);

impl Random {
    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    /// A number from 1 on, small ones more often: the mean is about `mean`.
    fn geometric(&mut self, mean: u64) -> u64 {
        1 + (1..20 * mean).take_while(|_| self.below(mean) != 0).count() as u64
    }
}

/// Makes [`MIXED`]. What a kernel asks for: mostly page tables and single pages, some stacks and
/// buffers, a few large pages; most go soon, some stay long, so that what stays comes to lie
/// between holes. Requests come as long as nine tenths of the frames are not in use.
pub(crate) fn generate() -> String {
    const FRAMES: u64 = 1 << 14;
    const EVENTS: usize = 6000;
    let mut text = format!(
        "# Made by `schemes --generate`, whose source says how: sizes and lifetimes that a kernel\n\
         # could have. \"a N\" asks for N frames, \"f I\" gives back what request I (from 0) had.\n\
         frames {FRAMES}\n"
    );
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    // When each open request ends, its number, and its size.
    let mut open: BinaryHeap<Reverse<(u64, u64, u64)>> = BinaryHeap::new();
    let (mut now, mut requests, mut in_use) = (0, 0, 0);
    for _ in 0..EVENTS {
        now += 1;
        let count = match random.below(100) {
            0..50 => 1,
            50..75 => 1 + random.below(8),
            75..90 => 8 + random.below(57),
            90..97 => 1 << (4 + random.below(4)),
            _ => 512,
        };
        let lifetime = match random.below(100) {
            0..60 => random.geometric(60),
            60..90 => random.geometric(900),
            _ => random.geometric(5000),
        };
        let is_full = 10 * (in_use + count) > 9 * FRAMES;
        // Writing to a String cannot fail.
        match open.peek().copied() {
            Some(Reverse((end, number, size))) if end <= now || is_full => {
                open.pop();
                in_use -= size;
                let _ = writeln!(text, "f {number}");
            }
            _ => {
                open.push(Reverse((now + lifetime, requests, count)));
                requests += 1;
                in_use += count;
                let _ = writeln!(text, "a {count}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_that_comes_with_the_program_is_what_is_generated() {
        assert!(MIXED == generate(), "schemes --generate > tools/schemes/traces/mixed.trace");
    }

    #[test]
    fn it_can_be_served_by_who_wastes_nothing() {
        let trace = Trace::parse(MIXED).expect("it is sound");
        let mut sizes = Vec::new();
        let mut in_use = 0;
        for event in trace.events {
            match event {
                Event::Alloc(count) => {
                    sizes.push(count);
                    in_use += count;
                }
                Event::Free(request) => in_use -= sizes[request],
            }
            assert!(10 * in_use <= 9 * trace.frames);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, said) in [
            ("", "empty"),
            ("a 1\n", "must begin with"),
            ("frames 0\na 1\n", "must begin with"),
            ("frames 9\n", "asks for nothing"),
            ("# none\nframes 9\n\na 10\n", "line 4 of the trace, \"a 10\": so many"),
            ("frames 9\na one\n", "no number"),
            ("frames 9\na 1\nf 1\n", "line 3 of the trace, \"f 1\": that request"),
            ("frames 9\na 1\nf 0\nf 0\n", "line 4"),
            ("frames 9\nb 1\n", "expected"),
        ] {
            let error = Trace::parse(text).expect_err(text);
            assert!(error.contains(said), "{error}");
        }
    }
}
