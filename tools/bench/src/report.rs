//! The report: a table for readers, JSON for programs.

use serde_json::{Value, json};

use crate::harness::{Rival, Role, Row};

/// Prints a row within 80 columns: its contestants, the fastest first, and whether libjos reaches its target.
pub(crate) fn print(row: &Row) {
    let unit = unit(row);
    println!("\n{} [{}]", row.title, row.id);
    println!(
        "  {:<36} {:>7} {:>16} {:>7} {:>7}",
        format!("{unit}; spread: the turns' middle half"),
        "median",
        "spread",
        "x limit",
        "x peer"
    );
    let (limit, peer) = (median(row, Rival::Limit), median(row, Rival::BestPeer));
    let mut contestants: Vec<_> = row.contestants.iter().collect();
    contestants.sort_by(|a, b| a.median().total_cmp(&b.median()));
    for contestant in contestants {
        let at = |fraction| contestant.quantile(fraction) / row.unit;
        let spread = format!("{}..{}", time(at(0.25)), time(at(0.75)));
        let ratio = |of: Option<f64>| match of {
            Some(of) => format!("{:.2}", contestant.median() / of),
            None => "-".into(),
        };
        println!(
            "{} {:<36} {:>7} {spread:>16} {:>7} {:>7}",
            if contestant.role == Role::Libjos { '>' } else { ' ' },
            contestant.name,
            time(at(0.5)),
            ratio(limit),
            ratio(peer)
        );
    }
    for contestant in &row.contestants {
        if let Some(note) = &contestant.note {
            println!("  {}: {note}", contestant.name);
        }
    }
    if let Some(verdict) = verdict(row) {
        println!("  {verdict}");
    }
}

/// The target and whether it is reached; `None` without a target or a rival.
fn verdict(row: &Row) -> Option<String> {
    let target = row.target?;
    let rival = row.rival(target.of)?;
    let ratio = row.best(Role::Libjos)?.median() / rival.median();
    let name = match target.of {
        Rival::Limit => "the limit",
        Rival::BestPeer => "the best peer",
        Rival::Named(name) => name,
    };
    let word = if ratio <= target.at_most { "reached" } else { "NOT reached" };
    Some(format!("target: {:.2} x {name}; {word}: {ratio:.2}", target.at_most))
}

/// A time with two decimals, or fewer if the column is too narrow.
fn time(time: f64) -> String {
    if time < 1000.0 { format!("{time:.2}") } else { format!("{time:.0}") }
}

fn unit(row: &Row) -> &'static str {
    if row.unit == 1.0 { "ns" } else { "us" }
}

fn median(row: &Row, rival: Rival) -> Option<f64> {
    row.rival(rival).map(|contestant| contestant.median())
}

/// All rows; times in nanoseconds.
pub(crate) fn json(rows: &[Row]) -> Value {
    let row = |row: &Row| {
        let (limit, peer) = (median(row, Rival::Limit), median(row, Rival::BestPeer));
        let contestants = row.contestants.iter().map(|contestant| {
            let median = contestant.median();
            json!({
                "name": contestant.name,
                "role": format!("{:?}", contestant.role).to_lowercase(),
                "median_ns": median,
                "quartiles_ns": [contestant.quantile(0.25), contestant.quantile(0.75)],
                "times_limit": limit.map(|limit| median / limit),
                "times_best_peer": peer.map(|peer| median / peer),
                "note": contestant.note,
            })
        });
        json!({
            "id": row.id,
            "title": row.title,
            "verdict": verdict(row),
            "contestants": contestants.collect::<Vec<_>>(),
        })
    };
    json!({ "rows": rows.iter().map(row).collect::<Vec<_>>() })
}
