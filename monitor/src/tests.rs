//! The commands that work on the memory system, run on simulated machines.

mod environments;
mod narrow;
mod numbers;
mod play;
mod registers;

use core::fmt::Write;
use std::string::{String, ToString};
use std::vec::Vec;

use layout::{Jos32, Jos64, JosSv39, MB, MemLayout, PGSIZE};

use super::commands::Manual;
use super::*;
use libjos::env::{Environments, Envs};
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::memory_map::{MemoryKind, MemoryMapEntry};
use libjos::mem::pages::PageAllocator;
use libjos::paging::format::Format;
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::Sv39;
use libjos::paging::format::x86_64::X86_64;
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;
use libjos::sim::user::SimFrame;

struct NoNames;

impl Names for NoNames {
    fn address(&self, name: &str) -> Option<u64> {
        (name == "end").then_some(Jos64::KERNBASE + 2 * MB)
    }

    fn describe(&self, _: u64, _: &mut dyn Write) -> core::fmt::Result {
        Ok(())
    }
}

/// A monitor on a simulated machine.
struct Monitor<L: MemLayout, F: Format + Mmu> {
    pmap: Pmap<SimMachine<L, F>>,
    envs: Option<Envs<SimFrame<F>>>,
    held: Held,
}

fn monitor<L: MemLayout, F: Format + Mmu>() -> Monitor<L, F> {
    let (machine, boot) = SimMachine::<L, F>::new(5 * MB);
    let mut pmap = mem_init(machine, boot);
    pmap.machine_mut().move_to_kernel_stack();
    Monitor { pmap, envs: None, held: Held::default() }
}

impl<L: MemLayout, F: Format + Mmu> Monitor<L, F> {
    /// Runs a command; gives its output, or the error.
    fn try_run(&mut self, line: &str) -> Result<String, String> {
        let mut out = String::new();
        let envs = self.envs.as_mut().map(|envs| envs as &mut dyn Environments<_>);
        let mut session = Session::new(&mut self.pmap, envs, &mut self.held, &NoNames, &mut out);
        let (command, arguments) = parse(line).map_err(|error| error.to_string())?.unwrap();
        let usable = |base, length| MemoryMapEntry { base, length, kind: MemoryKind::Usable };
        let entries = [usable(0, 0x9_fc00), usable(5, 0), usable(u64::MAX, 2)];
        let Verb::Memory(verb) = command.verb else { panic!("{} is the kernel's", command.usage) };
        session.run(verb, &arguments, entries.into_iter()).map_err(|error| error.to_string())?;
        for line in out.lines() {
            assert!(line.len() <= 80, "too wide: {line}");
        }
        Ok(out)
    }

    fn run(&mut self, line: &str) -> String {
        self.try_run(line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    fn error(&mut self, line: &str) -> String {
        self.try_run(line).expect_err(line)
    }

    /// A page that `alloc` gives out, as it is typed.
    fn alloc(&mut self) -> String {
        let out = self.run("alloc");
        out.strip_prefix("page ").and_then(|rest| rest.split(',').next()).unwrap().to_string()
    }
}

fn monitor64() -> Monitor<Jos64, X86_64> {
    monitor()
}

#[test]
fn the_table_is_in_order() {
    for command in COMMANDS {
        assert_eq!(find(command.name()).unwrap().verb, command.verb);
        let line = command.usage;
        assert!(line.len() <= 28 && command.summary.len() <= 80 - 29, "{line}");
        assert!(command.details.iter().all(|line| line.len() <= 80), "{line}");
        for option in line.split(' ').filter(|word| word.starts_with("[-")) {
            assert!(["[-f]", "[-p|-e", "[-e"].contains(&option), "{line}");
        }
    }
    let names: std::collections::HashSet<_> = COMMANDS.iter().map(Command::name).collect();
    assert_eq!(names.len(), COMMANDS.len());
}

#[test]
fn the_manual_is_made_of_the_table() {
    let manual = include_str!("../../docs/monitor.md");
    let right = Manual.to_string();
    assert!(manual == right, "docs/monitor.md should be (see there how it is made):\n{right}");
}

#[test]
fn commands_run_on_every_machine() {
    fn all<L: MemLayout, F: Format + Mmu>() {
        let mut monitor = monitor::<L, F>();
        for line in [
            "showmappings 0 UTOP",
            "showmappings KERNBASE",
            "translate 0",
            "translate KERNBASE+5",
            "vmprint",
            "map",
            "memmap",
            "pages",
            "pages kern_pgdir",
            "freelist",
            "freelist 0",
            "checks",
        ] {
            let out = monitor.run(line);
            assert!(line == "checks" || !out.is_empty(), "{line}"); // They print on the console.
        }
        let page = monitor.alloc();
        monitor.run(&std::format!("insert UTEMP {page} +w"));
        monitor.run("setperm UTEMP -w +u");
        monitor.run("dump UTEMP 16");
        assert!(monitor.run("showmappings UTEMP").contains("ur"));
        monitor.run("remove UTEMP");
        monitor.run(&std::format!("free {page}"));
        monitor.run("checks");
    }
    all::<Jos64, X86_64>();
    all::<Jos32, I386>();
    all::<JosSv39, Sv39>();
}

#[test]
fn mappings_are_shown_with_their_gaps() {
    let mut monitor = monitor64();
    let page = monitor.alloc();
    monitor.run(&std::format!("insert 0x400000 {page} +wu"));
    let pa = u64::from_str_radix(&page[2..], 16).unwrap();
    assert_eq!(
        monitor.run("showmappings 0x3ff123 0x401000"),
        std::format!(
            "0x00000000003ff000-0x00000000003fffff not mapped\n\
             0x0000000000400000-0x0000000000400fff -> {pa:#011x} urw-- 4 KB 4K\n\
             0x0000000000401000-0x0000000000401fff not mapped\n"
        )
    );
    let all = monitor.run("showmappings 0 0xffffffffffffffff");
    assert!(
        all.contains(
            "0x0000000000401000-0x00007fffffffffff not mapped\n\
             0x0000800000000000-0xffff7fffffffffff not canonical\n\
             0xffff800000000000-0xfffffe7fffffffff not mapped\n"
        ),
        "{all}"
    );
    assert_eq!(
        monitor.run("showmappings 0x800000000000"),
        "0x0000800000000000-0x0000800000000fff not canonical\n"
    );
    let last = all.lines().last().unwrap();
    assert!(last.contains("-0xffffffffffffffff -> 0x000") && last.ends_with(" 4K-2M"), "{last}");
    assert!(monitor.error("showmappings 2 1").contains("ends before it begins"));
    // The page tables as memory: the directory is the last of them.
    assert!(monitor.run("showmappings UVPT UVPT+PTSIZE-1").lines().count() > 5);
}

#[test]
fn the_map_marks_what_is_not_allowed() {
    let mut monitor = monitor64();
    let map = monitor.run("map");
    assert!(map.contains("0xfffffffff0000000 RW/-- window on physical memory\n"), "{map}");
    assert!(map.contains(" -r-xg ") && !map.contains('!') || map.matches('!').count() == 1);
    monitor.run("setperm -f KERNBASE+0x8000 +x");
    monitor.run("setperm -f UPAGES +w");
    let map = monitor.run("map");
    assert!(map.contains(" WX!") && map.contains(" W!"), "{map}");
    assert!(map.ends_with("2 runs are not what the map allows\n"), "{map}");
}

#[test]
fn addresses_are_translated_in_boxes() {
    let mut monitor = monitor64();
    let out = monitor.run("translate end+0x10");
    assert!(
        out.starts_with("0xfffffffff0200010 in \"window on physical memory\"\n\n 63 "),
        "{out}"
    );
    assert!(out.contains("level 1") && out.contains("+-> 0x200010, which the kernel may"), "{out}");
    assert!(monitor.run("translate 0x0000_8000_0000_0000").contains("cannot begin"));
    assert_eq!(monitor.error("translate"), "something is missing");
    assert_eq!(monitor.error("translate 1 2"), "\"2\" is one word too many");
    assert!(monitor.error("translate beef").contains("begins with 0x"));
    assert!(monitor.error("translate KERNBASE+KERNBASE").contains("too large"));
}

/// The frame ends at the end of the address space, which no Rust object may do.
#[test]
fn the_last_frame_of_the_window_is_left_alone() {
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(257 * MB);
    let mut monitor = Monitor { pmap: mem_init(machine, boot), envs: None, held: Held::default() };
    let out = monitor.run("memmap");
    let row = "0x000000000ffff000-0x000000000fffffff the window's end, never given out, 4 KB";
    assert!(out.contains(row), "{out}");
    let out = monitor.run("dump -p 0xfffeff0 32");
    let (before, last) = out.split_once('\n').unwrap();
    assert!(before.starts_with("000000000fffeff0: "), "{out}");
    assert!(last.ends_with("ffff00f: no RAM, or out of reach: left alone\n"), "{out}");
    // The RAM behind it is shown, since PHYSMAP has it.
    let out = monitor.run("dump -p 0xffff000 0x1010");
    let hole = "000000000ffff000-000000000fffffff: no RAM, or out of reach: left alone\n";
    assert!(out.starts_with(&std::format!("{hole}0000000010000000: ")), "{out}");
}

#[test]
fn memory_is_dumped_over_gaps_and_boundaries() {
    let mut monitor = monitor64();
    let (one, two) = (monitor.alloc(), monitor.alloc());
    monitor.run(&std::format!("insert 0x400000 {two}"));
    monitor.run(&std::format!("insert 0x401000 {one}"));
    let pa = |text: &str| PhysAddr::new(u64::from_str_radix(&text[2..], 16).unwrap());
    monitor.pmap.machine().store(pa(&two) + 0xFF8, 0x6867_6665_6463_6261_u64);
    monitor.pmap.machine().store(pa(&one), 0x6F6E_6D6C_6B6A_69FF_u64);
    let out = monitor.run("dump 0x400ffc 12");
    assert_eq!(
        out,
        "0000000000400ffc: 6566 6768                                efgh\n\
         0000000000401000: ff69 6a6b 6c6d 6e6f                      .ijklmno\n"
    );
    let out = monitor.run("dump 0x3ffff0 32");
    assert!(out.starts_with("00000000003ffff0-00000000003fffff: not mapped\n0000000000400000: 0"));
    assert_eq!(
        monitor.run("dump 0x7fffffffffff 2"),
        "00007fffffffffff-00007fffffffffff: not mapped\n\
         0000800000000000-0000800000000000: not canonical\n"
    );
    let out = monitor.run("dump -p 0x9ffff 2");
    assert!(out.contains("000000000009ffff") && out.contains("left alone"), "{out}");
    let out = monitor.run("dump KERNBASE+0xb8000 8");
    assert!(out.contains("left alone"), "{out}");
    assert!(monitor.run("dump -p 0xffffffffffffffff 1").contains("left alone"));
    assert!(monitor.run("dump 0xffffffffffffffff 1").contains("left alone"));
    assert!(monitor.error("dump 0xffffffffffffffff 2").contains("beyond the last address"));
    assert!(monitor.error("dump 2 0xffffffffffffffff").contains("beyond the last address"));
    assert_eq!(monitor.run("dump 0 0"), "");
    assert_eq!(monitor.run("dump 0 0xffffffff").lines().count(), 1 + 2 * 256 + 1);
    assert_eq!(monitor.run("dump -p 0 0x20").lines().count(), 2);
}

#[test]
fn pages_are_counted_and_described() {
    let mut monitor = monitor64();
    let nfree = monitor.pmap.pages().nfree();
    let counts = monitor.run("pages");
    assert!(counts.contains(&std::format!("{nfree:>8} free")), "{counts}");
    let page = monitor.alloc();
    monitor.run(&std::format!("insert 0x400000 {page}"));
    monitor.run(&std::format!("insert 0x800000 {page} +w"));
    let out = monitor.run(&std::format!("pages {page}+0xabc"));
    for expected in [
        "pp_ref 3, pp_link says: in use",
        "given out by alloc",
        "0x0000000000400000 -r---",
        "0x0000000000800000 -rw--",
        "3 in all",
    ] {
        assert!(out.contains(expected), "{expected}: {out}");
    }
    assert!(monitor.run("pages kern_pgdir").contains("is a page table of level 3"));
    assert!(monitor.run("pages 0").contains("page 0, never given out"));
    assert!(monitor.error("pages 0xffffffff000").contains("no page of RAM"));
}

#[test]
fn memory_map_says_where_the_unused_begins() {
    let (machine, mut boot) = SimMachine::<Jos64, X86_64>::new(8 * MB);
    boot.memory.limit(PhysAddr::new(6 * MB));
    let mut monitor = Monitor { pmap: mem_init(machine, boot), envs: None, held: Held::default() };
    let map = monitor.run("memmap");
    let last = "  0x0000000000600000 and above: 2 MB of RAM that are left unused\n";
    assert!(map.ends_with(last), "{map}");
}

#[test]
fn memory_map_and_free_list_add_up() {
    let mut monitor = monitor64();
    let map = monitor.run("memmap");
    for expected in ["wraps (0x2 bytes), RAM", "empty, RAM", "kernel: code", "kern_pgdir", "hole"] {
        assert!(map.contains(expected), "{expected}: {map}");
    }
    let nfree = monitor.pmap.pages().nfree();
    let list = monitor.run("freelist 1000000");
    assert!(list.starts_with(&std::format!("page_free_list: {nfree} pages")), "{list}");
    assert!(!list.contains("more pages"), "{list}");
    assert!(monitor.run("freelist 1").contains("more pages"));
    // A page that was freed last comes first.
    let pages: Vec<_> = (0..3).map(|_| monitor.alloc()).collect();
    pages.iter().for_each(|page| drop(monitor.run(&std::format!("free {page}"))));
    assert!(monitor.run("freelist").contains(": 3 pages\n"));
}

#[test]
fn too_many_words_are_refused() {
    let (command, arguments) = parse("dump b  c\td\n").unwrap().unwrap();
    assert_eq!((command.name(), arguments.words()), ("dump", &["b", "c", "d"][..]));
    assert!(parse("").unwrap().is_none() && parse(" \t\r\n").unwrap().is_none());
    assert_eq!(parse("a").unwrap_err(), CommandError::UnknownCommand("a"));
    let line = " map".repeat(MAXARGS);
    let (_, arguments) = parse(&line).unwrap().unwrap();
    assert_eq!(arguments.words().len(), MAXARGS - 1);
    let line = " a".repeat(MAXARGS + 1);
    let error = parse(&line).unwrap_err();
    assert_eq!(error, CommandError::TooManyWords { most: MAXARGS - 1 });
    assert_eq!(error.to_string(), "Too many arguments (max 15)");
}

#[test]
fn options_are_told_from_words() {
    let sorted = |line| {
        let (_, arguments) = parse(line).unwrap().unwrap();
        (arguments.words().join(" "), arguments.force, arguments.physical)
    };
    assert_eq!(sorted("setperm -f 1 -w -f"), ("1 -w".into(), true, false));
    assert_eq!(sorted("dump 1 -p -f"), ("1 -f".into(), false, true));
    assert_eq!(sorted("map -f -p"), ("-f -p".into(), false, false));
    assert_eq!(sorted("freelist -e 1"), ("-e 1".into(), false, false));
}

/// A newcomer types it as in a shell.
#[test]
fn an_ampersand_ends_a_line_with_or_without_a_blank() {
    let words = |line| {
        let (command, arguments) = parse(line).unwrap().unwrap();
        (command.name(), arguments.words().join(" "))
    };
    for line in ["run hello &", "run hello&", " run hello& \t", "run hello  & "] {
        assert_eq!(words(line), ("run", "hello &".into()), "{line}");
    }
    assert_eq!((words("c&"), words("c &")), (("c", "&".into()), ("c", "&".into())));
    assert_eq!(words("run hello&&"), ("run", "hello& &".into()));
    assert_eq!(words("run & hello"), ("run", "& hello".into()));
    assert_eq!(words("map &"), ("map", "&".into()));
    assert_eq!(parse("&").unwrap_err(), CommandError::UnknownCommand("&"));
}

#[test]
fn a_reader_can_stop_every_listing() {
    /// A writer that has had enough at once.
    struct Enough;
    impl Write for Enough {
        fn write_str(&mut self, _: &str) -> core::fmt::Result {
            Err(core::fmt::Error)
        }
    }
    let mut monitor = monitor64();
    let Monitor { pmap, envs, held } = &mut monitor;
    let envs = envs.as_mut().map(|envs| envs as &mut dyn Environments<_>);
    let mut out = Enough;
    let mut session = Session::new(pmap, envs, held, &NoNames, &mut out);
    let none = Arguments::default();
    let (_, zero) = parse("dump 0").unwrap().unwrap();
    assert_eq!(session.map(&none), Err(CommandError::Stopped));
    assert_eq!(session.vmprint(&none), Err(CommandError::Stopped));
    assert_eq!(session.memmap(&none, [].into_iter()), Err(CommandError::Stopped));
    assert_eq!(session.pages(&none), Err(CommandError::Stopped));
    assert_eq!(session.freelist(&none), Err(CommandError::Stopped));
    assert_eq!(session.showmappings(&zero), Err(CommandError::Stopped));
    assert_eq!(session.dump(&zero), Err(CommandError::Stopped));
    assert_eq!(session.translate(&zero), Err(CommandError::Stopped));
    assert_eq!(PGSIZE, 4096);
}
