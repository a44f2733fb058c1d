//! A machine and its dump give the same shot, on every map; and the shot is right.

use std::fs::File;
use std::io::Write;

use layout::{GB, Jos32, Jos64, JosSv39, MB, MemLayout, PGSIZE};
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{ALLOC_ZERO, PageAllocator};
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::Sv39;
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Format, Perm};
use libjos::paging::mappings::leaves;
use libjos::pmap::Pmap;
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;

use crate::draw;
use crate::dump::Dump;
use crate::facts::kernel_image;
use crate::shot::{Entry, Info, Owner, Shot, State, Table};
use crate::survey::{facts_of, simulated, simulated_machine, survey};

/// Runs a test on all three machines.
macro_rules! on_all_machines {
    ($test:ident) => {
        $test::<Jos64, X86_64>();
        $test::<Jos32, I386>();
        $test::<JosSv39, Sv39>();
    };
}

/// The class of an ELF file: how wide its addresses are.
#[derive(Clone, Copy, PartialEq)]
enum Class {
    Elf32 = 1,
    Elf64 = 2,
}

impl Class {
    fn word(self, number: u64) -> Vec<u8> {
        match self {
            Self::Elf32 => (number as u32).to_le_bytes().to_vec(),
            Self::Elf64 => number.to_le_bytes().to_vec(),
        }
    }
}

/// A core file as QEMU writes it: an ELF header, a program header for each piece, the pieces
/// (System V ABI, generic part, chapters 4 and 5).
fn core_file(class: Class, pieces: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let (header, program_header) = if class == Class::Elf64 { (64, 56) } else { (52, 32) };
    let mut bytes = vec![0x7f, b'E', b'L', b'F', class as u8, 1, 1];
    bytes.resize(16, 0);
    for half in [4_u16, 62] {
        bytes.extend(half.to_le_bytes()); // e_type: a core file; e_machine
    }
    bytes.extend(1_u32.to_le_bytes());
    for word in [0, header as u64, 0] {
        bytes.extend(class.word(word)); // e_entry, e_phoff, e_shoff
    }
    bytes.extend(0_u32.to_le_bytes());
    for half in [header, program_header, pieces.len(), 0, 0, 0] {
        bytes.extend((half as u16).to_le_bytes());
    }
    let mut at = header + pieces.len() * program_header;
    for (pa, piece) in pieces {
        let flags = 0_u32.to_le_bytes();
        bytes.extend(1_u32.to_le_bytes()); // p_type: PT_LOAD
        bytes.extend(flags.iter().filter(|_| class == Class::Elf64));
        let size = piece.len() as u64;
        for word in [at as u64, 0, *pa, size, size] {
            bytes.extend(class.word(word)); // p_offset, p_vaddr, p_paddr, p_filesz, p_memsz
        }
        bytes.extend(flags.iter().filter(|_| class == Class::Elf32));
        bytes.extend(class.word(0)); // p_align
        at += piece.len();
    }
    bytes.extend(pieces.iter().flat_map(|(_, piece)| piece));
    bytes
}

/// A file without a name that holds these bytes.
fn file(bytes: &[u8]) -> File {
    let name = format!("picture-{:?}-{:p}", std::thread::current().id(), bytes);
    let path = std::env::temp_dir().join(format!("{}-{name}", std::process::id()));
    let mut options = File::options();
    let mut file = options.read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// The RAM of a simulated machine as a core file of two pieces, as a PC's is.
fn core_of<L: MemLayout, F: Format + Mmu>(pmap: &Pmap<SimMachine<L, F>>) -> Vec<u8> {
    let end = pmap.boot().memory.usable().runs().last().unwrap().end_exclusive.as_u64();
    let middle = L::PHYS_BASE + MB;
    let pieces = [(L::PHYS_BASE, middle), (middle, end)].map(|(start, end)| {
        let words = (start..end).step_by(4);
        let bytes =
            words.flat_map(|pa| pmap.machine().load::<u32>(PhysAddr::new(pa)).to_le_bytes());
        (start, bytes.collect::<Vec<_>>())
    });
    let narrow = L::VA_LAST == u64::from(u32::MAX);
    core_file(if narrow { Class::Elf32 } else { Class::Elf64 }, &pieces)
}

/// A machine on which an application has two pages, one of them mapped twice.
fn with_application<L: MemLayout, F: Format + Mmu>() -> Pmap<SimMachine<L, F>> {
    let mut pmap = simulated_machine::<L, F>();
    let (vm, pgdir) = pmap.split();
    let twice = vm.page_alloc(ALLOC_ZERO).unwrap();
    let once = vm.page_alloc(ALLOC_ZERO).unwrap();
    for (frame, va) in [(twice, L::UTEXT), (twice, L::UTEMP), (once, L::UTEXT + PGSIZE)] {
        vm.page_insert(pgdir, frame, VirtAddr::new(va), Perm::URW).unwrap();
    }
    pmap
}

fn frames_of(shot: &Shot, owner: Owner) -> u64 {
    shot.frames.runs.iter().filter(|run| run.owner == owner).map(|run| run.count).sum()
}

fn a_dump_shows_what_the_machine_shows<L: MemLayout, F: Format + Mmu>() {
    let pmap = with_application::<L, F>();
    let facts = facts_of(&pmap);
    let dump = Dump::new(file(&core_of(&pmap))).unwrap();
    let shot = survey::<L, F>(pmap.machine(), &facts);
    assert_eq!(survey::<L, F>(&dump, &facts), shot);
    let json = serde_json::to_string(&shot).unwrap();
    assert_eq!(serde_json::from_str::<Shot>(&json).unwrap(), shot);
}

#[test]
fn dumps_of_all_formats() {
    on_all_machines!(a_dump_shows_what_the_machine_shows);
}

fn frames_have_the_right_owners<L: MemLayout, F: Format + Mmu>() {
    let pmap = with_application::<L, F>();
    let shot = survey::<L, F>(pmap.machine(), &facts_of(&pmap));
    let image = pmap.boot().image;
    let pages = |range: libjos::mem::addr::PhysRange| range.size() / PGSIZE;
    let expected = [
        (Owner::Text, pages(image.text)),
        (Owner::Rodata, pages(image.rodata)),
        (Owner::Data, pages(image.data) - pages(image.stack)),
        (Owner::Stack, pages(image.stack)),
        (Owner::Pages, pages(pmap.boot_memory().pages) + pages(pmap.boot_memory().runs)),
        (Owner::Loader, 1),
        (Owner::Application, 2),
        (Owner::Free, pmap.pages().nfree() as u64),
        (Owner::Unaccounted, 0),
    ];
    for (owner, count) in expected {
        assert_eq!(frames_of(&shot, owner), count, "{} on {}", owner.name(), L::NAME);
    }
    let counted: u64 = shot.frames.runs.iter().map(|run| run.count).sum();
    assert_eq!(counted, pmap.pages().npages() as u64);
    let shared = shot.frames.runs.iter().find(|run| run.owner == Owner::Application).unwrap();
    assert_eq!(shared.info, Some(Info { state: State::InUse, pp_ref: 2 }));
}

#[test]
fn owners_on_all_machines() {
    on_all_machines!(frames_have_the_right_owners);
}

/// Present entries, tables and entries of the tables from `table` down.
fn count(table: &Table) -> (usize, usize, usize) {
    let mut sum = (table.present, 1, 0);
    for row in &table.rows {
        sum.2 += row.last - row.first + 1;
        if let Entry::Table { table, .. } = &row.entry {
            let below = count(table);
            sum = (sum.0 + below.0, sum.1 + below.1, sum.2 + below.2);
        }
    }
    sum
}

fn regions_and_tree_agree<L: MemLayout, F: Format + Mmu>() {
    let pmap = with_application::<L, F>();
    let shot = survey::<L, F>(pmap.machine(), &facts_of(&pmap));
    let [space] = shot.spaces.as_slice() else { panic!("one directory is in use") };
    assert!(space.in_use);
    let region = |base| space.regions.iter().find(|region| region.base == base).unwrap();
    let window = region(L::KERNBASE);
    assert_eq!(window.boundary, ["KERNBASE", "KSTACKTOP"]);
    assert_eq!(window.runs.iter().map(|run| run.size()).sum::<u64>(), L::WINDOW_SIZE);
    assert!(window.runs.iter().all(|run| !run.perm.contains('u')));
    let [stack] = region(L::KSTACK).runs.as_slice() else { panic!("the stack is one run") };
    assert_eq!((stack.size(), stack.pa), (L::KSTKSIZE, pmap.boot().image.stack.start.as_u64()));
    assert_eq!(region(L::UTEMP).runs.len(), 1);
    // Counts tables in three ways: as frames, in the tree, and at UVPT.
    let (_, tables, entries) = count(&space.root);
    assert_eq!(frames_of(&shot, Owner::Tables), tables as u64);
    assert_eq!(entries, tables << F::INDEX_BITS);
    assert_eq!(region(L::UVPT).tables, if L::SELF_MAP { tables } else { 0 });
    if L::SELF_MAP {
        let perm = if F::ALWAYS.contains(Perm::X) { "ur-x-" } else { "ur---" };
        assert_eq!(region(L::UVPT).tables_perm, perm);
    }
}

#[test]
fn regions_on_all_machines() {
    on_all_machines!(regions_and_tree_agree);
}

#[test]
fn before_pages_nothing_is_counted() {
    let pmap = simulated_machine::<Jos64, X86_64>();
    let mut facts = facts_of(&pmap);
    (facts.told.pages, facts.told.kern_pgdir, facts.told.cr3) = (None, None, None);
    let shot = survey::<Jos64, X86_64>(pmap.machine(), &facts);
    assert!(shot.spaces.is_empty() && shot.frames.runs.iter().all(|run| run.info.is_none()));
    assert_eq!(frames_of(&shot, Owner::Free), 0);
    assert!(draw::page(&[shot]).unwrap().into_string().contains("Paging is off"));
}

#[test]
fn broken_tables_are_drawn_and_end() {
    let pmap = simulated_machine::<Jos64, X86_64>();
    let (facts, pgdir) = (facts_of(&pmap), pmap.kern_root());
    // A directory whose entries lead to itself through another table, and out of memory.
    let Shot { frames, .. } = survey::<Jos64, X86_64>(pmap.machine(), &facts);
    let table = PhysAddr::new(frames.base + 600 * PGSIZE);
    pmap.machine().store(pgdir, X86_64::table(table));
    pmap.machine().store(table, X86_64::table(table));
    pmap.machine().store(table + 8, X86_64::table(PhysAddr::new(1 << 40)));
    let dump = Dump::new(file(&core_of(&pmap))).unwrap();
    let shot = survey::<Jos64, X86_64>(&dump, &facts);
    let html = draw::page(&[shot]).unwrap().into_string();
    assert!(html.contains("shown above: both entries lead to it"));
}

fn problem(bytes: &[u8]) -> String {
    Dump::new(file(bytes)).unwrap_err().to_string()
}

#[test]
fn what_is_no_dump_is_said_to_be_none() {
    for (class, header) in [(Class::Elf64, 120), (Class::Elf32, 84)] {
        let whole = core_file(class, &[(0, vec![0; 8192])]);
        assert!(Dump::new(file(&whole)).is_ok());
        let cut = format!("the dump is cut off: it has {} bytes", header + 8191);
        assert!(problem(&whole[..whole.len() - 1]).contains(&cut));
        assert!(problem(&core_file(class, &[])).contains("no memory"));
    }
    assert!(problem(b"PMEM").contains("no core file"));
    assert!(simulated("jos16").unwrap_err().to_string().contains("jos64 jos32 jossv39"));
}

#[test]
fn a_kernel_without_the_symbols_is_said_to_be_none() {
    let error = kernel_image::<Jos64>(&core_file(Class::Elf64, &[])).unwrap_err().to_string();
    assert_eq!(error, "this kernel has no symbol stext");
}

#[test]
fn text_stays_text() {
    let mut shot = simulated("jos32").unwrap();
    shot.title = "</title><b>&".into();
    shot.said = vec!["</script><script>alert(1)".into()];
    shot.frames.runs[0].detail = "</script><i>".into();
    let html = draw::page(&[shot]).unwrap().into_string();
    assert!(html.contains("&lt;/title&gt;&lt;b&gt;&amp;") && !html.contains("</title><b>"));
    // Only the page's own two scripts contain an end tag.
    assert_eq!(html.matches("</script>").count(), 2);
}

#[test]
fn a_machine_that_cannot_withhold_execution_says_so() {
    let said = |machine| {
        let html = draw::page(&[simulated(machine).unwrap()]).unwrap().into_string();
        html.contains("Execution (x) cannot be withheld: the page tables of i386")
    };
    assert_eq!(["jos64", "jos32", "jossv39"].map(said), [false, true, false]);
}

#[test]
fn a_film_keeps_what_its_shots_share_once() {
    let shot = simulated("jos64").unwrap();
    let one = draw::page(std::slice::from_ref(&shot)).unwrap().into_string();
    let film = draw::page(&[shot.clone(), shot.clone(), shot]).unwrap().into_string();
    assert!(film.len() < one.len() + 2000, "{} and {} bytes", one.len(), film.len());
}

/// The single pages in the tree from `table` down: addresses and permissions.
fn pages_in(table: &Table, pages: &mut Vec<(u64, u64, String)>) {
    for row in &table.rows {
        match &row.entry {
            Entry::Table { table, .. } => pages_in(table, pages),
            Entry::Pages { pa, perm, .. } => {
                let number = (row.last - row.first + 1) as u64;
                let size = (row.va_last - row.va + 1) / number;
                let page = |i| (row.va + i * size, pa + i * size, perm.clone());
                pages.extend((0..number).map(page));
            }
            Entry::Absent | Entry::Elsewhere { .. } => {}
        }
    }
}

fn the_tree_unfolds_to_what_is_mapped<L: MemLayout, F: Format + Mmu>() {
    let pmap = with_application::<L, F>();
    let shot = survey::<L, F>(pmap.machine(), &facts_of(&pmap));
    let mut shown = Vec::new();
    pages_in(&shot.spaces[0].root, &mut shown);
    let (first, last) = (VirtAddr::new(0), VirtAddr::new(u64::MAX));
    let mapped = leaves::<F, _>(pmap.machine(), pmap.kern_root(), first, last);
    let mapped: Vec<_> =
        mapped.map(|page| (page.va.as_u64(), page.pa.as_u64(), page.perm.to_string())).collect();
    assert_eq!(shown, mapped);
}

#[test]
fn trees_of_all_formats() {
    on_all_machines!(the_tree_unfolds_to_what_is_mapped);
}

#[test]
fn a_page_is_cut_where_a_region_ends() {
    // Like entry_pgdir: one page over all regions at low addresses.
    let mut pmap = simulated_machine::<Jos64, X86_64>();
    let table = pmap.page_alloc(ALLOC_ZERO).unwrap();
    let table = pmap.pages().page2pa(table);
    pmap.machine().store(pmap.kern_root(), X86_64::table(table));
    pmap.machine().store(table, X86_64::leaf(2, PhysAddr::new(0), Perm::KRW));
    let shot = survey::<Jos64, X86_64>(pmap.machine(), &facts_of(&pmap));
    let runs = |base: u64| {
        let region = shot.spaces[0].regions.iter().find(|region| region.base == base).unwrap();
        region.runs.iter().map(|run| (run.va, run.size(), run.pa)).collect::<Vec<_>>()
    };
    assert_eq!(runs(0), [(0, Jos64::UTEMP, 0)]);
    assert_eq!(runs(Jos64::UTEMP), [(Jos64::UTEMP, Jos64::UTEXT - Jos64::UTEMP, Jos64::UTEMP)]);
    assert_eq!(runs(Jos64::UTEXT), [(Jos64::UTEXT, GB - Jos64::UTEXT, Jos64::UTEXT)]);
}
