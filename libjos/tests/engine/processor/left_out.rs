//! Each fence and each flush of this library, left out by itself: a test of `fences.rs` or `flushes.rs` fails then. One
//! that is added to the sources must be reached by these tests too.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use layout::{Jos32, JosSv39};
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::Sv39;
use libjos::sim::told::{called, leave_out};

use super::{fences, flushes};

/// The tests, the quickest first. i386 stands for the formats with UVPT.
const TESTS: [fn(); 11] = [
    flushes::tables_that_are_pruned::<JosSv39, Sv39>,
    flushes::tables_that_are_merged::<JosSv39, Sv39>,
    flushes::tables_that_the_kernels_take_the_place_of::<JosSv39, Sv39>,
    flushes::small_pages_one_by_one::<JosSv39, Sv39>,
    fences::tables_are_seen_at_once::<JosSv39, Sv39>,
    fences::pages_are_seen_at_once::<JosSv39, Sv39>,
    flushes::tables_that_are_pruned::<Jos32, I386>,
    flushes::tables_that_the_kernels_take_the_place_of::<Jos32, I386>,
    flushes::pruned_tables_in_uvpt::<Jos32, I386>,
    flushes::large_pages_in_uvpt::<Jos32, I386>,
    flushes::a_large_page_of_the_root_that_is_split_in_uvpt,
];

/// The calls that tell the processor of changed tables.
const CALLS: [&str; 4] = ["made_valid(", "invlpg(", "flush_tlb(", "lcr3("];

/// The places of all those calls in the sources below `folder`, each as a file and a line.
fn in_sources(folder: &Path, places: &mut BTreeSet<(String, u32)>) {
    for entry in folder.read_dir().expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        if path.is_dir() && !["sim", "tests", "lab2_tests"].contains(&name) {
            in_sources(&path, places);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            let text = fs::read_to_string(&path).expect("a text");
            let is_call = |line: &str| {
                let after = line.split_once("machine.").or(line.split_once("machine_mut()."));
                after.is_some_and(|(_, call)| CALLS.iter().any(|name| call.starts_with(name)))
            };
            for (number, _) in (1..).zip(text.lines()).filter(|(_, line)| is_call(line)) {
                let below = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("of this crate");
                places.insert((format!("libjos/{}", below.display()), number));
            }
        }
    }
}

#[test]
fn each_fence_and_flush_is_missed() {
    TESTS.iter().for_each(|test| test());
    let mut places = BTreeSet::new();
    in_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut places);
    let reached = called();
    for (file, line) in places {
        let place = reached.iter().copied().find(|reached| *reached == (&file, line));
        assert!(place.is_some(), "no test here comes to the call at {file}:{line}");
        leave_out(place);
        let caught = TESTS.iter().position(|test| catch_unwind(test).is_err());
        leave_out(None);
        assert!(caught.is_some(), "no test misses the call at {file}:{line}");
        println!("{file}:{line} is missed by test {}", caught.unwrap_or_default());
    }
}
