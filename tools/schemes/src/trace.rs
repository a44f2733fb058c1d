//! A trace: requests for frames and when they are given back, as text.
//!
//! The first line is `frames N`. Then a line for each event: `a N` asks for N adjacent frames,
//! `f I` frees the frames of the I-th request (from 0 on). Lines that begin with `#` are
//! comments. `tools/schemes/record.py` records such a file on Linux.

use std::collections::BTreeSet;

/// The trace that comes with the program: the requests to Linux under `tools/schemes/load.sh`.
pub(crate) const LINUX: &str = include_str!("../traces/linux.trace");

/// An event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// A request for this number of frames.
    Alloc(usize),
    /// Freeing the frames of the request with this number.
    Free(usize),
}

/// Requests to a scheme.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Trace {
    /// The number of frames.
    pub(crate) frames: usize,
    pub(crate) events: Vec<Event>,
}

/// The most frames that a trace may have: 128 MB.
const MOST_FRAMES: usize = 1 << 15;

impl Trace {
    /// Parses a trace; an error names the line and the reason.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The events. `parse` has checked that each request is freed at most once, after it was made.
    #[test]
    fn the_recorded_one_is_whole_and_fits() {
        assert!(LINUX.starts_with("# Recorded by record.py: "), "from the head: how it was made");
        let trace = Trace::parse(LINUX).expect("it is sound");
        let (mut sizes, mut in_use, mut peak) = (Vec::new(), 0, 0);
        for event in trace.events {
            match event {
                Event::Alloc(count) => {
                    assert!(count.is_power_of_two(), "Linux gives out no {count} pages");
                    sizes.push(count);
                    in_use += count;
                }
                Event::Free(request) => in_use -= sizes[request],
            }
            peak = peak.max(in_use);
        }
        // A tenth of the frames is free at the peak, and fewer frames than at the peak stay in use.
        assert_eq!(trace.frames, (10 * peak).div_ceil(9));
        assert!(0 < in_use && in_use < peak);
        // Large requests and small ones, or there would be nothing to compare.
        assert!(sizes.contains(&1) && sizes.contains(&512), "{sizes:?}");
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
