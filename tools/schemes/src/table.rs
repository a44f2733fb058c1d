//! The table: a line for each scheme.

use std::fmt::Write;

use crate::replay::Outcome;
use crate::trace::{Event, Trace};

/// All outcomes, in 80 columns.
pub(crate) fn table(trace: &Trace, outcomes: &[Outcome]) -> String {
    let requests = trace.events.iter().filter(|event| matches!(event, Event::Alloc(_))).count();
    let mut text = format!(
        "{} frames; {requests} requests, {} of them given back\n\n\
         {:22}{:>7}{:>9}{:>18}{:>9}{:>8}{:>7}\n\
         {:22}{:>7}{:>9}{:>9}{:>9}{:>9}{:>8}{:>7}\n",
        trace.frames,
        trace.events.len() - requests,
        "scheme",
        "not",
        "largest",
        "external frag.",
        "wasted",
        "steps/",
        "bytes/",
        "",
        "served",
        "at end",
        "mean",
        "most",
        "within",
        "event",
        "frame",
    );
    for outcome in outcomes {
        let (last, events) = (outcome.last(), outcome.reports.len() as f64);
        let external = || outcome.reports.iter().map(|report| report.external_fragmentation());
        let waste: usize = outcome.reports.iter().map(|report| report.internal_waste).sum();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:22}{:>7}{:>9}{:>8.1}%{:>8.1}%{:>8.1}%{:>8.1}{:>7.2}",
            outcome.name,
            outcome.failed,
            last.largest,
            100.0 * external().sum::<f64>() / events,
            100.0 * external().fold(0.0, f64::max),
            100.0 * waste as f64 / events / last.frames as f64,
            last.search_steps as f64 / events,
            last.metadata_bytes as f64 / last.frames as f64,
        );
    }
    text.push_str(
        "\nexternal frag.: what part of the free frames the largest request cannot have\n\
         wasted within: frames given out that nobody asked for, of all frames, on average\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{replay, trace};

    #[test]
    fn it_has_80_columns_at_most() {
        let trace = Trace::parse(trace::LINUX).expect("it is sound");
        let table = table(&trace, &replay::all(&trace));
        assert_eq!(table.lines().filter(|line| line.contains('%')).count(), 6, "{table}");
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    }
}
