//! Draws the contents of a machine's memory: address space, page tables, frames.
//!
//! Surveying and drawing are separate steps, so that a film can be made from several dumps. `picture
//! read` and `picture sim` survey a machine and print a [`Shot`] as JSON; `picture draw` makes one web
//! page from any number of shots. `make picture` and `make film` run both (`tools/picture/capture.py`).
//!
//! | module | holds |
//! |---|---|
//! | [`dump`] | a core file that QEMU wrote, as `libjos`' physical memory |
//! | [`facts`] | facts about the machine that are not in its memory |
//! | [`survey`] | the address spaces and their regions, for any map and format |
//! | [`tables`], [`frames`] | the page tables as a tree; the frames and their owners |
//! | [`sharing`] | environments side by side: who shares which frames |
//! | [`shot`] | the result of a survey: a shot |
//! | [`draw`] | shots as a page |

mod draw;
mod dump;
mod facts;
mod frames;
mod sharing;
mod shot;
mod survey;
mod tables;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::process::ExitCode;

use facts::Facts;
use shot::Shot;

const USAGE: &str = "\
usage: picture read MACHINE CORE FACTS KERNEL    survey a dump; prints a shot
       picture sim MACHINE                       survey a simulated machine after mem_init
       picture draw SHOT...                      a page of shots (- is the standard input)
MACHINE is the memory map and with it the page-table format: jos64, jos32 or jossv39.";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["read", machine, core, facts, kernel] => read(machine, core, facts, kernel),
        ["sim", machine] => survey::simulated(machine).and_then(|shot| json(&shot)),
        ["draw", shots @ ..] if !shots.is_empty() => draw_all(shots),
        _ => Err(USAGE.into()),
    };
    match result.and_then(|text| Ok(std::io::stdout().write_all(text.as_bytes())?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn read(machine: &str, core: &str, facts: &str, kernel: &str) -> Result<String, Box<dyn Error>> {
    let named = |name: &str, error: &dyn std::fmt::Display| format!("picture: {name}: {error}");
    let told = File::open(facts).map_err(|error| named(facts, &error))?;
    let told = serde_json::from_reader(told).map_err(|error| named(facts, &error))?;
    let bytes = std::fs::read(kernel).map_err(|error| named(kernel, &error))?;
    let dump = File::open(core).map_err(|error| named(core, &error))?;
    let dump = dump::Dump::new(dump).map_err(|error| named(core, &*error))?;
    json(&survey::dumped(machine, &dump, Facts::new(told), &bytes)?)
}

fn json(shot: &Shot) -> Result<String, Box<dyn Error>> {
    Ok(serde_json::to_string(shot)?)
}

fn draw_all(names: &[&str]) -> Result<String, Box<dyn Error>> {
    let mut shots = Vec::new();
    for name in names {
        let mut text = String::new();
        let read = match *name {
            "-" => std::io::stdin().read_to_string(&mut text),
            name => File::open(name).and_then(|mut file| file.read_to_string(&mut text)),
        };
        read.map_err(|error| format!("picture: {name}: {error}"))?;
        shots.push(
            serde_json::from_str(&text)
                .map_err(|error| format!("picture: {name} is no shot: {error}"))?,
        );
    }
    Ok(draw::page(&shots)?.into_string())
}
