//! The monitor: what is typed, and what it prints.

use alloc::string::String;
use alloc::vec::Vec;

use spin::Mutex;

use super::*;
use crate::arch::host::pc;
use crate::arch::host::process::{Ended, each_alone};
use crate::rig;

static TYPED: Mutex<String> = Mutex::new(String::new());

/// Types each of `typed` at the monitor of a machine of its own, and then `exit`.
fn answers<const N: usize>(typed: [&str; N], run: fn(&[&str]) -> Vec<Ended>) -> Vec<Vec<String>> {
    let ended = run(&typed);
    let lines = |(ended, typed): (Ended, &str)| {
        let prompt = std::format!("K> {typed}\r\n");
        ended.assert_ended(33);
        let (_, behind) = ended.printed.split_once(&prompt).expect("the line that was typed");
        let (answer, _) = behind.split_once("K> exit\r\n").expect("the last line");
        answer.lines().map(String::from).collect()
    };
    ended.into_iter().zip(typed).map(lines).collect()
}

/// Boots, and types `line` at the monitor.
fn at_the_prompt(line: &str) -> ! {
    *TYPED.lock() = std::format!("{line}\rexit\r");
    rig::boot("", || {
        pc().serial.type_bytes(TYPED.lock().as_bytes());
        monitor();
        unreachable!("the monitor does not return")
    })
}

#[test]
fn help_lists_each_command() {
    let lines = answers(["help"], |typed| each_alone(typed, |line| at_the_prompt(line))).remove(0);
    assert_eq!(lines.len(), COMMANDS.len());
    for (line, command) in lines.iter().zip(COMMANDS) {
        let Command { usage, summary, .. } = command;
        assert!(line.starts_with(usage), "{line}");
        assert!(line.ends_with(summary), "{line}");
        let column = line.len() - summary.len();
        assert!(column == USAGE_COLUMNS + 1 || usage.len() > USAGE_COLUMNS, "{line}");
    }
}

/// Fails unless each line that is typed gets its answer.
fn assert_answers<const N: usize>(cases: [(&str, &[&str]); N], run: fn(&[&str]) -> Vec<Ended>) {
    let found = answers(cases.map(|(line, _)| line), run);
    for ((line, lines), found) in cases.iter().zip(found) {
        assert_eq!(found, *lines, "{line}");
    }
}

#[test]
fn small_commands() {
    let one_too_many = "\"1\" is one word too many";
    assert_answers(
        [
            ("", &[]),
            ("nonsense", &["Unknown command 'nonsense'"]),
            ("help help 1", &[one_too_many, "usage: help [COMMAND]"]),
            ("help nonsense", &["Unknown command 'nonsense'"]),
            (
                "help exit",
                &[
                    "exit [CODE]",
                    "Leave QEMU; a CODE other than 0 is a failure.",
                    "CODE is a number up to 255. QEMU's status is 33 for success and 35 for a",
                    "failure.",
                ],
            ),
            ("page", &["auto"]),
            ("page on", &[]),
            ("page maybe", &["\"maybe\" is not on, off or auto", "usage: page [on|off|auto]"]),
            ("uptime", &["nothing says how fast the time-stamp counter runs"]),
            ("uptime 1", &[one_too_many, "usage: uptime"]),
            (
                "backtrace",
                &["Backtrace:", "  (addr2line -Cfpe obj/kern/kernel ADDRESS... names them)"],
            ),
            ("backtrace 1", &[one_too_many, "usage: backtrace"]),
            (
                "fault nonsense",
                &["\"nonsense\" is not a fault; `fault` lists them", "usage: fault [NAME]"],
            ),
            ("exit 256", &["\"256\" is not a number from 0 to 255", "usage: exit [CODE]"]),
            ("exit x", &["\"x\" is not a number from 0 to 255", "usage: exit [CODE]"]),
            ("cr 1", &[one_too_many, "usage: cr"]),
            ("clear 1", &[one_too_many, "usage: clear"]),
            ("reboot 1", &[one_too_many, "usage: reboot"]),
            ("clear", &["\u{1b}[2J\u{1b}[H"]),
        ],
        |typed| each_alone(typed, |line| at_the_prompt(line)),
    );
}

/// One command may change the next one's answer.
#[test]
fn modes_of_paging() {
    let cases = [("page on", "on"), ("page off", "off"), ("page on\rpage auto", "auto")];
    let ended = each_alone(&cases, |(line, _)| at_the_prompt(&std::format!("{line}\rpage")));
    for (ended, (_, mode)) in ended.iter().zip(cases) {
        let end = std::format!("K> page\r\n{mode}\r\nK> exit\r\n");
        assert!(ended.printed.ends_with(&end), "{ended:?}");
    }
}

#[test]
fn faults_in_a_list() {
    let found = answers(["fault"], |typed| each_alone(typed, |line| at_the_prompt(line)));
    assert!(found[0].iter().eq(faults::all().map(|fault| fault.name)), "{found:?}");
}

#[test]
fn kerninfo() {
    assert_answers(
        [(
            "kerninfo",
            &[
                "Special kernel symbols:",
                "  _start                             0x00100040 (phys)",
                "  entry    0xfffffffff0100040 (virt) 0x00100040 (phys)",
                "  etext    0xfffffffff0180123 (virt) 0x00180123 (phys)",
                "  edata    0xfffffffff01d0456 (virt) 0x001d0456 (phys)",
                "  end      0xfffffffff0200000 (virt) 0x00200000 (phys)",
                "Sections, in whole pages:",
                "  text     0xfffffffff0100000    516 KB  code: read, execute",
                "  rodata   0xfffffffff0181000    252 KB  constants: read",
                "  data     0xfffffffff01c0000    256 KB  data, bss, stacks: read, write",
                "Kernel executable memory footprint: 1024KB",
                "Started by: PVH",
                "Command line: ",
                "  boot information at 0x5000, 56 bytes",
                "  PVH memory map at 0x6000, 72 bytes",
                "  PVH command line at 0x8000, 1 bytes",
                "Processor: \0\0\0\0\0\0\0\0\0\0\0\0",
                "  has:",
                "Physical memory: 7804K available, base = 636K, extended = 7168K",
                "Pages: 2048, free: 1678",
            ],
        )],
        |typed| each_alone(typed, |line| at_the_prompt(line)),
    );
}

/// A line for each register, and one for each of its fields: single bits, several, and unknown ones.
#[test]
fn control_registers() {
    let found = answers(["cr"], |typed| {
        each_alone(typed, |line| {
            crate::arch::host::cpu::set_unknown_bit();
            at_the_prompt(line)
        })
    });
    let found = found[0].join("\n") + "\n";
    for lines in [
        "= 0x0000000000001000: address of the latest page fault\n  63:0   VA         0x1000  the address\n",
        "= 0x0000000000200000: the page directory in use\n      3  PWT        0  tables are cached write-through\n",
        "  51:12  PFN        0x200  frame number of the page directory\n",
        "     16  WP         1  write protection: read-only pages bind the kernel too\n",
        "     15  TCE        0  INVLPG spares upper levels\n  bits without a name here: 0x4000000000000000\n",
    ] {
        assert!(found.contains(lines), "{lines}: {found}");
    }
    assert_eq!(found.matches("bits without a name").count(), 1);
}

/// Hours, minutes, seconds and milliseconds, of a counter whose rate a hypervisor states.
#[test]
fn uptime() {
    let found = answers(["uptime"], |typed| {
        each_alone(typed, |line| {
            let words = |words: [u32; 4]| words;
            for (leaf, registers) in [
                (0, words([1, 0, 0, 0])),
                (1, words([0, 0, 1 << 31, 0])),
                (0x4000_0000, words([0x4000_0010, 0, 0, 0])),
                (0x4000_0010, words([1_000_000, 0, 0, 0])),
            ] {
                pc().processor.cpuid.insert((leaf, 0), registers);
            }
            *TYPED.lock() = std::format!("{line}\rexit\r");
            rig::boot("", || {
                let milliseconds = ((25 * 60 + 7) * 60 + 8) * 1000 + 45;
                pc().processor.counter += milliseconds * 1_000_000;
                pc().serial.type_bytes(TYPED.lock().as_bytes());
                monitor();
                unreachable!("the monitor does not return")
            })
        })
    });
    assert_eq!(found[0], ["up 25:07:08.045"]);
}

/// The commands that end the machine, and those that fault.
#[test]
fn ends() {
    let cases = [
        ("exit 0", 33, "K> exit 0\r\n"),
        ("exit 0x0", 33, "K> exit 0x0\r\n"),
        ("exit 255", 35, "Exit code 255\r\n"),
        ("reboot", 123, "K> reboot\r\n"),
    ];
    let ended = each_alone(&cases, |(line, _, _)| at_the_prompt(line));
    for (ended, (_, status, words)) in ended.iter().zip(cases) {
        ended.assert_ended(status);
        assert!(ended.printed.ends_with(words), "{ended:?}");
    }
}

#[test]
fn a_fault() {
    let ended = each_alone(&[()], |()| at_the_prompt("fault panic")).remove(0);
    assert!(ended.printed.contains("asked for by test=panic\r\n"), "{ended:?}");
    ended.assert_ended(35);
}
