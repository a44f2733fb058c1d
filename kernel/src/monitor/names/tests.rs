//! The names of addresses, their descriptions, and the words that Tab completes to.

use alloc::string::String;
use alloc::vec::Vec;

use layout::MemLayout;
use libjos::app::process::ExitCode;
use libjos::symtab::Builder;

use super::*;
use crate::arch::host::process::alone;
use crate::rig;
use crate::user::tests::{boot, create, elf};

/// The functions `a::one` and `two`, side by side; behind them a hole.
fn functions() {
    let code = Layout::KERNBASE + 0x10_0100;
    let mut builder = Builder::new();
    builder.symbol(code, 0x10, "a::one");
    builder.symbol(code + 0x10, 8, "two");
    rig::symbols(builder);
}

fn described(at: u64) -> String {
    let mut out = String::new();
    KernelNames.describe(Layout::KERNBASE + at, &mut out).expect("a string takes it");
    out
}

fn candidates(before: &str, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    KernelNames.candidates(before, word, &mut |word| found.push(String::from(word)));
    found
}

#[test]
fn addresses_of_names() {
    alone(|| {
        let address = |name| KernelNames.address(name);
        for (name, va) in symbols::linker_symbols() {
            assert_eq!(address(name), Some(va.as_u64()), "{name}");
        }
        assert_eq!([address("two"), address("nothing"), address("")], [None; 3]);
        functions();
        assert_eq!(address("two"), Some(Layout::KERNBASE + 0x10_0110));
        assert_eq!(address("a::one"), Some(Layout::KERNBASE + 0x10_0100));
        assert_eq!(address("etext"), Some(symbols::etext().as_u64()));
        assert_eq!(address("nothing"), None);
    })
    .assert_returned();
}

#[test]
fn descriptions() {
    alone(|| {
        assert_eq!(described(0x10_0100), " (kernel code)");
        functions();
        for (at, words) in [
            (0x10_0100, " (kernel code, a::one)"),
            (0x10_0101, " (kernel code, a::one+0x1)"),
            (0x10_010F, " (kernel code, a::one+0xf)"),
            (0x10_0110, " (kernel code, two)"),
            (0x10_0118, " (kernel code)"),
            (0x10_00FF, " (kernel code)"),
            (0x18_1000, " (kernel constants)"),
            (0x1F_FFFF, " (kernel data)"),
            (0x20_0000, ""),
            (0, ""),
        ] {
            assert_eq!(described(at), words, "{at:#x}");
        }
    })
    .assert_returned();
}

#[test]
fn completion() {
    alone(|| {
        let commands: Vec<_> = COMMANDS.iter().map(|command| command.name()).collect();
        for before in ["", " ", "help ", " help  "] {
            assert_eq!(candidates(before, ""), commands, "{before:?}");
            assert!(KernelNames.is_whole(before));
        }
        let faults: Vec<_> = faults::all().map(|fault| fault.name).collect();
        assert_eq!(candidates("fault ", ""), faults);
        assert_eq!(candidates("page ", ""), ["on", "off", "auto"]);
        assert!(KernelNames.is_whole("fault ") && KernelNames.is_whole("page "));
        for before in ["translate ", "nothing ", "translate 1 "] {
            assert!(!KernelNames.is_whole(before));
            let mut names: Vec<_> = constants::<Layout>().map(|(name, _)| name).collect();
            names.push(KERN_PGDIR);
            names.extend(symbols::linker_symbols().map(|(name, _)| name));
            assert_eq!(candidates(before, ""), names);
        }
        functions();
        let last =
            |word| candidates("translate ", word).split_off(candidates("translate ", "").len());
        assert_eq!(candidates("translate ", "").last().map(|name| &name[..]), Some("end"));
        assert_eq!(last("t"), ["one", "two"]);
        assert_eq!(last("a::"), ["a::one", "two"]);
    })
    .assert_returned();
}

/// The prompt completes the names of programs, and the ids of environments.
#[test]
fn names_that_tab_completes() {
    let file = rig::archive("hello", &elf(0x80_0020, b"code"));
    let ended = alone(|| boot(&file, complete));
    ended.assert_tail(
        33,
        &[
            "run hello",
            "env 00001000",
            "kill 00001000",
            "map 00001000",
            "vmprint 00001000",
            "envs ",
        ],
    );
}

fn complete() -> ExitCode {
    assert!(create("hello"));
    for command in ["run", "env", "kill", "map", "vmprint", "envs"] {
        let mut words = candidates(&std::format!("{command} "), "");
        words.retain(|word| word == "hello" || word.starts_with("0000"));
        println!("{command} {}", words.join(" "));
    }
    ExitCode::SUCCESS
}
