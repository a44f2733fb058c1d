//! `env` shows the registers of any machine in columns.

use super::*;
use libjos::env::abi::EnvId;
use libjos::env::{EnvIndex, Record};
use libjos::paging::vm::Vm;

/// Environments whose registers are these lines.
struct Registers<'a, E> {
    envs: &'a mut E,
    lines: &'a [&'a str],
}

impl<M: Machine, E: Environments<M>> Environments<M> for Registers<'_, E> {
    fn record(&self, index: EnvIndex) -> Option<Record> {
        self.envs.record(index)
    }

    fn last_id(&self, index: EnvIndex) -> EnvId {
        self.envs.last_id(index)
    }

    fn write_registers(&self, _: EnvIndex, out: &mut dyn Write) -> core::fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(out, "{line}"))
    }

    fn kill(&mut self, vm: &mut Vm<M>, index: EnvIndex) {
        self.envs.kill(vm, index);
    }
}

/// The rows in which `env` shows registers that are written in these lines.
fn rows<L: MemLayout, F: Format + Mmu>(lines: &[&str]) -> Vec<String> {
    let mut monitor = Monitor::<L, F>::with(1);
    let mut out = String::new();
    let Monitor { pmap, envs, held } = &mut monitor;
    let mut envs = Registers { envs: envs.as_mut().unwrap(), lines };
    let (_, arguments) = parse("env 1000").unwrap().unwrap();
    let mut session = Session::new(pmap, Some(&mut envs), held, &NoNames, &mut out);
    session.env(&arguments).unwrap();
    let (_, registers) = out.split_once("Registers:\n").unwrap();
    let (registers, _) = registers.split_once("\nPages:\n").unwrap();
    registers.lines().map(String::from).collect()
}

/// A name, and a word in hexadecimal digits, take a column; there are as many as fit on the screen.
#[test]
fn registers_stand_side_by_side() {
    let line = "  rip  0x0123456789abcdef";
    let three = "  rip  0x0123456789abcdef   rip  0x0123456789abcdef   rip  0x0123456789abcdef";
    assert_eq!(rows::<Jos64, X86_64>(&[line; 7]), [three, three, line]);
    assert_eq!(rows::<JosSv39, Sv39>(&[line; 4]), [three, line]);
    let line = "  eip  0x01234567";
    let four = "  eip  0x01234567   eip  0x01234567   eip  0x01234567   eip  0x01234567";
    assert_eq!(rows::<Jos32, I386>(&[line; 5]), [four, line]);
}

/// A longer line takes two columns. It may end in the last column of the screen, and not behind it.
#[test]
fn a_row_of_registers_ends_with_the_screen() {
    let short = "  rip  0x0123456789abcdef";
    let last = "  eflags  0x01234567 (CF IF)"; // From column 52 to the end.
    let rows = rows::<Jos64, X86_64>(&[
        short,
        short,
        last,
        short,
        last,
        short,
        short,
        "  a longer one                ",
    ]);
    let two = "  rip  0x0123456789abcdef   rip  0x0123456789abcdef ";
    assert_eq!(rows[0], [two, last].concat());
    assert_eq!(rows[0].len(), 80);
    assert_eq!(rows[1], "  rip  0x0123456789abcdef   eflags  0x01234567 (CF IF)");
    assert_eq!(rows[2], two.trim_end());
    assert_eq!(rows[3], "  a longer one                ");
    assert_eq!(rows.len(), 4);
}
