//! The monitor of a machine with addresses and entries of 32 bits, beside those with 64.

use super::*;

/// The longest hexadecimal number in `text`, in columns, with its "0x" if it has one.
fn widest(text: &str) -> usize {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let digits = |word: &&str| word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'x');
    words.filter(digits).map(str::len).max().unwrap_or(0)
}

#[test]
fn addresses_are_as_wide_as_the_machines() {
    fn widths<L: MemLayout, F: Format + Mmu>(address: usize) {
        let mut monitor = monitor::<L, F>();
        let page = monitor.alloc();
        monitor.run(&std::format!("insert UTEMP {page}"));
        let pages = std::format!("pages {page}");
        for line in
            ["showmappings 0 UTOP+PGSIZE", "vmprint", "map", "translate KERNBASE", pages.as_str()]
        {
            assert_eq!(widest(&monitor.run(line)), address, "{line}");
        }
        assert_eq!(widest(&monitor.run("dump UTEMP")), address - 2);
        let memmap = monitor.run("memmap");
        let (_, owners) = memmap.split_once("What became of it").unwrap();
        assert_eq!(widest(owners), address, "{owners}");
    }
    widths::<Jos64, X86_64>(18);
    widths::<Jos32, I386>(10);
    widths::<JosSv39, Sv39>(18);
}

#[test]
fn lines_of_a_narrow_machine() {
    let mut monitor = monitor::<Jos32, I386>();
    let page = monitor.alloc();
    let said = monitor.run(&std::format!("insert UTEMP {page} +wu"));
    assert_eq!(said, std::format!("0x400000 -> {page} urwx-, pp_ref 2\n"));
    let pa = u64::from_str_radix(&page[2..], 16).unwrap();
    let note = "Execution (x) cannot be withheld: the page tables of i386 have no bit for it\n";
    assert_eq!(
        monitor.run("showmappings UTEMP-1 UTEMP"),
        std::format!(
            "0x003ff000-0x003fffff not mapped\n\
             0x00400000-0x00400fff -> {pa:#010x} urwx- 4 KB 4K\n{note}"
        )
    );
    assert_eq!(monitor.run("showmappings 0"), "0x00000000-0x00000fff not mapped\n");
    // No hole parts the addresses on both sides of UTOP.
    let gap = "0x00401000-0xeeffffff not mapped\n";
    assert!(monitor.run("showmappings UTEMP UPAGES").contains(gap));
    let entries = monitor.run("vmprint");
    assert!(
        entries.contains(&std::format!("\n .. ..0x00400000: pte {:#010x} pa {pa:#010x}\n", pa | 7))
    );
    assert!(monitor.run("freelist").lines().nth(1).unwrap().starts_with("  0x00"));
    assert!(monitor.run("dump UTEMP 4").starts_with("00400000: 0000 0000  "));
    assert_eq!(
        monitor.error("setperm UTEMP -x"),
        "this processor cannot withhold 'x' from a mapped page"
    );
    // Nothing is wrong with pages that are writable and, since this cannot be helped, executable.
    let map = monitor.run("map");
    assert!(map.contains("0xf0000000 RW/-- window on physical memory\n"), "{map}");
    assert!(map.contains(" WX\n") && !map.contains(" WX!"), "{map}");
    assert!(map.ends_with(note), "{map}");
}

#[test]
fn only_what_cannot_be_withheld_is_noted() {
    let mut monitor = monitor64();
    assert!(!monitor.run("map").contains("withheld"));
    assert!(!monitor.run("showmappings KERNBASE").contains("withheld"));
}
