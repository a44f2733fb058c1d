//! The list of `run`: a line for each module, and names in lines that a terminal has room for.

use alloc::string::String;
use alloc::vec::Vec;

use boot::info::START_INFO_MAGIC;
use libjos::app::process::ExitCode;

use super::*;
use crate::arch::host::memory::map_heap;
use crate::arch::host::process::each_alone;
use crate::rig;
use crate::user::tests::elf;

/// Where the loader has put the first module; the others follow at this distance.
const MODULES: u64 = 0x40_0000;
const DISTANCE: u64 = 0x1_0000;

fn print_list() -> ExitCode {
    let mut text = String::new();
    list(&mut text).expect("a String takes all");
    print!("the list:\n{text}");
    ExitCode::SUCCESS
}

/// Boots with these modules and prints the list.
fn boot(modules: &[Vec<u8>]) -> ! {
    map_heap();
    rig::kernel_panics();
    let mut places = [(0, 0); 5];
    let at = |i: usize| MODULES + i as u64 * DISTANCE;
    for (i, module) in modules.iter().enumerate() {
        places[i] = (at(i), module.len() as u64);
        rig::write(at(i), module);
    }
    rig::pvh(&rig::RAM, &places[..modules.len()], "");
    *rig::APPLICATION.lock() = print_list;
    crate::kernel_main(START_INFO_MAGIC, rig::START_INFO)
}

/// An archive of empty files.
fn archive(names: &[String]) -> Vec<u8> {
    let header = |name: &String| rig::archive(name, b"")[..512].to_vec();
    let mut bytes: Vec<u8> = names.iter().flat_map(header).collect();
    bytes.resize(bytes.len() + 1536, 0);
    bytes
}

#[test]
fn each_module_has_a_line() {
    let names = ["one", "two"].map(String::from);
    let kinds = [archive(&names), elf(0x80_0020, b"code"), b"text".to_vec(), archive(&[])];
    let neither = "neither a program nor an archive: this is no tar archive, or a damaged one: archive length is not a \
                   multiple of 512 bytes";
    let cases = [Vec::new(), kinds.to_vec(), kinds[2..3].to_vec(), kinds[3..].to_vec()];
    let ended = each_alone(&cases, |modules| boot(modules));
    ended[0].assert_tail(
        33,
        &["the list:", "there are no programs: MODULE=FILE gives the kernel some"],
    );
    ended[1].assert_tail(
        33,
        &[
            "the list:",
            "in module 1:",
            " one two",
            "module 2 is one program of 124 bytes, with any name",
            &std::format!("module 3 is {neither}"),
            "module 4 is an archive of no programs",
        ],
    );
    ended[2].assert_tail(33, &["the list:", &std::format!("module 1 is {neither}")]);
    ended[3].assert_tail(33, &["the list:", "module 1 is an archive of no programs"]);
}

/// The last column stays empty, since a terminal may begin a line of its own behind it.
#[test]
fn names_fill_a_line() {
    let names = |length: usize| ["a", "b", "c"].map(|letter| letter.repeat(length));
    let ended = each_alone(&[38, 39], |length| boot(&[archive(&names(*length))]));
    let [short, long] = [38, 39].map(|length| names(length).map(|name| std::format!(" {name}")));
    ended[0].assert_tail(33, &["in module 1:", &short[..2].concat(), &short[2]]);
    ended[1].assert_tail(33, &["in module 1:", &long[0], &long[1], &long[2]]);
}
