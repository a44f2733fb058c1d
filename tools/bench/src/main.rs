//! `make bench`: libjos beside its peers and beside the memory's limit, in one process and in turns.
//!
//! | module | holds |
//! |---|---|
//! | [`rows`], [`work`] | the rows and their contestants; the work |
//! | [`form`] | single operations in two forms: called and inlined |
//! | [`harness`] | measuring: rounds, turns, samples, medians |
//! | [`memory`] | the memory that all contestants use |
//! | [`tables`] | the operations of page tables; the check that they were done |
//! | [`limit`], [`jos`], `c`, [`rust_x86_64`], `multiarch`, [`aarch64`] | the page tables |
//! | [`frames`] | the allocators of frames |
//! | [`heaps`], [`heap_work`] | the heaps; their work |
//! | [`report`], [`plot`] | the output |
//!
//! No test asserts a time. Every benchmark asserts that its work was done.

mod aarch64;
#[cfg(has_c)]
mod c;
mod form;
mod frames;
mod harness;
mod heap_work;
mod heaps;
mod jos;
mod limit;
mod memory;
#[cfg(target_arch = "x86_64")]
mod multiarch;
mod plot;
mod report;
mod rows;
mod rust_x86_64;
mod tables;
mod work;

use std::path::PathBuf;
use std::time::Duration;

const USAGE: &str = "\
usage: bench [--only ROW] [--rounds N] [--json FILE] [--svg FILE]
  --only ROW    the rows whose short name contains ROW
  --rounds N    turns of each contestant (15)
  --json FILE   write the figures there, too
  --svg FILE    and a plot of them there";

/// Time for samples in one turn.
const BUDGET: Duration = Duration::from_millis(3);

/// The options on the command line.
struct Options {
    only: String,
    rounds: usize,
    json: Option<PathBuf>,
    svg: Option<PathBuf>,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { only: String::new(), rounds: 15, json: None, svg: None };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--only" => options.only = value()?,
                "--rounds" => {
                    let n = value()?;
                    options.rounds =
                        n.parse().map_err(|_| format!("{n} is no number of rounds"))?;
                }
                "--json" => options.json = Some(value()?.into()),
                "--svg" => options.svg = Some(value()?.into()),
                _ => return Err(format!("unknown option {word}")),
            }
        }
        if options.rounds == 0 { Err("no rounds, no figures".into()) } else { Ok(options) }
    }
}

fn main() -> std::io::Result<()> {
    let options = Options::parse(std::env::args().skip(1)).unwrap_or_else(|error| {
        eprintln!("{error}\n{USAGE}");
        std::process::exit(2)
    });
    let mut rows = rows::all();
    rows.retain(|row| row.id.contains(&options.only));
    if rows.is_empty() {
        let ids: Vec<&str> = rows::all().iter().map(|row| row.id).collect();
        eprintln!("no row {}; there are: {}", options.only, ids.join(" "));
        std::process::exit(2);
    }

    harness::run(&mut rows, options.rounds, BUDGET);

    rows.iter().for_each(report::print);
    if !cfg!(has_c) {
        println!("\nJOS's C is left out: there was no C compiler.");
    }
    if let Some(path) = options.json {
        std::fs::write(path, format!("{:#}\n", report::json(&rows)))?;
    }
    if let Some(path) = options.svg {
        std::fs::write(path, plot::svg(&rows))?;
    }
    Ok(())
}
