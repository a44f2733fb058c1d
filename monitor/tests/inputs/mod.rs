//! Bytes as what is typed at the monitor's prompt, a command a line.

use std::fmt::{self, Write};

use layout::{Jos64, MB, MemLayout};
use libjos::mem::memory_map::{MemoryKind, MemoryMapEntry};
use libjos::paging::format::x86_64::X86_64;
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::SimMachine;
use monitor::expression::evaluate;
use monitor::{CommandError, Held, MAXARGS, Names, Session, Verb, parse};

/// Most lines of an input.
const MAX_LINES: usize = 16;
/// Bytes after which the reader has had enough.
const PATIENCE: usize = 16 << 10;

/// A reader, who stops long listings.
#[derive(Default)]
struct Reader(String);

impl Write for Reader {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(text);
        if self.0.len() > PATIENCE { Err(fmt::Error) } else { Ok(()) }
    }
}

struct OneName;

impl Names for OneName {
    fn address(&self, name: &str) -> Option<u64> {
        (name == "end").then_some(Jos64::KERNBASE + 2 * MB)
    }

    fn describe(&self, _: u64, _: &mut dyn Write) -> fmt::Result {
        Ok(())
    }
}

/// The monitor, on a machine that is booted when a command asks for it: that takes most of the time.
#[derive(Default)]
struct Monitor {
    pmap: Option<Pmap<SimMachine<Jos64, X86_64>>>,
    held: Held,
}

/// Types the lines in `bytes`. Whatever they are, no command panics, what is printed fits the
/// screen, and no page is lost.
pub(crate) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut monitor = Monitor::default();
    for line in text.lines().take(MAX_LINES) {
        monitor.type_line(line);
        line.split_ascii_whitespace().take(MAXARGS).for_each(sum);
    }
    if let Some(mut pmap) = monitor.pmap {
        pmap.checks().check_page_free_list();
    }
}

impl Monitor {
    fn type_line(&mut self, line: &str) {
        let Ok(Some((command, arguments))) = parse(line) else { return };
        // By force the kernel may be broken; what is not of the memory system is not here.
        let Verb::Memory(verb) = command.verb else { return };
        if arguments.force {
            return;
        }
        let pmap = self.pmap.get_or_insert_with(|| {
            let (machine, boot) = SimMachine::new(5 * MB);
            let mut pmap = mem_init(machine, boot);
            pmap.machine_mut().move_to_kernel_stack();
            pmap
        });
        let mut out = Reader::default();
        let loader = MemoryMapEntry { base: 0, length: 5 * MB, kind: MemoryKind::Usable };
        let mut session = Session::new(pmap, None, &mut self.held, &OneName, &mut out);
        let result = session.run(verb, &arguments, [loader].into_iter());
        let stopped = matches!(result, Err(CommandError::Stopped));
        assert_eq!(stopped, out.0.len() > PATIENCE, "{line}: {result:?}");
        if let Err(error) = result {
            assert!(stopped || !error.to_string().is_empty(), "{line}: {error:?}");
        }
        if let Some(wide) = out.0.lines().find(|line| line.len() > 80) {
            panic!("{line}: too wide: {wide}");
        }
    }
}

/// Sums of numbers are what they are with more digits.
fn sum(word: &str) {
    let value = evaluate(word, &|_| None);
    let (mut total, mut sign) = (Some(0_i128), 1);
    let mut rest = word;
    while let Some(sum) = total {
        let end = rest.find(['+', '-']).unwrap_or(rest.len());
        let term = number(&rest[..end]).map(|term| sum + sign * i128::from(term));
        total = term.filter(|sum| u64::try_from(*sum).is_ok());
        let Some(next) = rest[end..].chars().next() else { break };
        sign = if next == '+' { 1 } else { -1 };
        rest = &rest[end + 1..];
    }
    assert_eq!(value.ok().map(i128::from), total, "{word}");
}

fn number(text: &str) -> Option<u64> {
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let text = text.to_ascii_lowercase();
    let (digits, radix) = match (text.strip_prefix("0x"), text.strip_prefix("0b")) {
        (Some(digits), _) => (digits, 16),
        (_, Some(digits)) => (digits, 2),
        _ => (text.as_str(), 10),
    };
    u64::from_str_radix(&digits.replace('_', ""), radix).ok()
}
