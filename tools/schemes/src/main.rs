//! `make schemes`: all schemes of `schemes` on one trace of requests, as a table and as a
//! plot of fragmentation over time.
//!
//! [`trace`] parses the requests, [`replay`] replays them on each scheme, [`table`] and [`plot`] show the
//! results.

mod plot;
mod replay;
mod table;
mod trace;

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use trace::Trace;

const USAGE: &str = "\
usage: schemes [--trace FILE] [--svg FILE]
       schemes --help
  --trace FILE  replay this trace (the one that comes with the program, recorded
                on Linux); tools/schemes/record.py records another
  --svg FILE    draw the external fragmentation over time there";

/// The options on the command line.
#[derive(Debug, PartialEq)]
enum Request {
    Help,
    Replay { trace: Option<PathBuf>, svg: Option<PathBuf> },
}

impl Request {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut trace, mut svg) = (None, None);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a file"));
            match word.as_str() {
                "--help" | "-h" => return Ok(Self::Help),
                "--trace" => trace = Some(value()?.into()),
                "--svg" => svg = Some(value()?.into()),
                _ => return Err(format!("unknown option {word}")),
            }
        }
        Ok(Self::Replay { trace, svg })
    }
}

fn run(request: Request) -> Result<(), Box<dyn Error>> {
    match request {
        Request::Help => println!("{USAGE}"),
        Request::Replay { trace, svg } => {
            let text = match &trace {
                None => String::from(trace::LINUX),
                Some(path) => fs::read_to_string(path)
                    .map_err(|error| format!("{}: {error}", path.display()))?,
            };
            let trace = Trace::parse(&text)?;
            let outcomes = replay::all(&trace);
            print!("{}", table::table(&trace, &outcomes));
            if let Some(path) = svg {
                fs::write(&path, plot::svg(&outcomes)?)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
            }
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let request = match Request::parse(std::env::args().skip(1)) {
        Ok(request) => request,
        Err(error) => {
            eprintln!("schemes: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(request) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("schemes: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request, String> {
        Request::parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn command_lines() {
        assert_eq!(parse(""), Ok(Request::Replay { trace: None, svg: None }));
        assert_eq!(parse("--svg a --help"), Ok(Request::Help));
        assert_eq!(parse("--svg"), Err("--svg needs a file".into()));
        assert_eq!(parse("plot"), Err("unknown option plot".into()));
    }
}
