//! The services of an application: areas with their faults, and all that they refuse.

use layout::{MemLayout, PGSIZE};
use libjos::app::area::{Access, VmArea};

use super::*;
use crate::arch::cpu;
use crate::arch::host::process::{alone, each_alone};
use crate::arch::host::{pc, trap as host};
use crate::rig;

const START: u64 = AREA_ADDRESSES.start;

/// An area whose handler maps each page at its first use.
#[test]
fn faults_in_areas() {
    alone(|| {
        rig::boot("leakcheck", || {
            let area = VmArea::reserve(2).expect("there are addresses");
            assert_eq!(area.base().as_u64(), START);
            assert!(area.try_read(0).is_err(), "nobody maps it");
            area.on_fault(|area, fault| {
                println!("page {}, offset {:#x}", fault.page, fault.offset);
                area.map(fault.page..fault.page + 1, Access::ReadWrite).is_ok()
            });
            area.write(PGSIZE - 2, b"word");
            let mut bytes = [0; 4];
            area.read(PGSIZE - 2, &mut bytes);
            assert_eq!(&bytes, b"word");
            assert_eq!((area.try_read(PGSIZE), area.try_write(0, 9)), (Ok(b'r'), Ok(())));
            assert_eq!(area.load(0), 9);
            ExitCode::SUCCESS
        })
    })
    .assert_tail(
        33,
        &["page 0, offset 0xffe", "page 1, offset 0x1000", "leakcheck: every page went back"],
    );
}

/// No other page directory has the areas, and no handler of a fault there can help.
#[test]
fn areas_while_another_page_directory_is_loaded() {
    static WORK: Mutex<fn(&VmArea)> = Mutex::new(|_| {});
    let uses: [fn(&VmArea); 6] = [
        |_| drop(VmArea::reserve(1)),
        |area| drop(area.map(1..2, Access::ReadWrite)),
        |area| drop(area.unmap(0..1)),
        |area| area.write(0, b"a"),
        |area| area.read(0, &mut [0]),
        |_| drop(host::with(14, 0, START, resolve)),
    ];
    let ended = each_alone(&uses, |work| {
        *WORK.lock() = *work;
        rig::boot("", || {
            let area = VmArea::reserve(2).expect("there are addresses");
            area.map(0..1, Access::ReadWrite).expect("there is memory");
            area.on_fault(|_, _| true);
            // SAFETY: the simulated processor has no code there.
            unsafe { cpu::lcr3(cpu::pgdir_in_use() + PGSIZE) };
            println!("elsewhere");
            WORK.lock()(&area);
            println!("nothing stopped it");
            ExitCode::SUCCESS
        })
    });
    for ended in ended {
        let (_, report) = ended.printed.split_once("elsewhere\r\n").expect("the directory changes");
        assert!(report.contains(": the heap or an area is used, but kern_pgdir"), "{report}");
        assert!(!report.contains("nothing stopped it"), "{report}");
        ended.assert_ended(35);
    }
}

/// A handler is asked only about reads and writes in areas whose entries are well formed.
#[test]
fn faults_that_no_handler_gets() {
    alone(|| {
        rig::boot("", || {
            let area = VmArea::reserve(1).expect("there are addresses");
            area.map(0..1, Access::ReadWrite).expect("there is memory");
            area.on_fault(|_, _| {
                println!("asked");
                true
            });
            let asked = |vector, error, va| host::with(vector, error, va, resolve);
            assert!(asked(14, 0, START));
            assert!(asked(14, 2, START + PGSIZE - 1));
            assert!(!asked(14, 16, START), "a fetch");
            assert!(!asked(14, 8, START), "a malformed entry");
            assert!(!asked(14, 0, START - 1), "below all areas");
            assert!(!asked(14, 0, AREA_ADDRESSES.end), "above all areas");
            assert!(!asked(14, 0, START + PGSIZE), "in no area");
            assert!(!asked(13, 0, START), "no page fault");
            assert!(!asked(8, 0, START), "a double fault");
            ExitCode::SUCCESS
        })
    })
    .assert_tail(33, &["check_page_installed_pgdir() succeeded!", "asked", "asked"]);
}

#[test]
fn only_areas_are_accessed() {
    let last = AREA_ADDRESSES.end;
    let cases = [
        (START - 1, 1, false),
        (START, 0, true),
        (last - 1, 1, true),
        (last - 1, 2, false),
        (last, 0, true),
        (u64::MAX, 2, false),
        (0, 1, false),
    ];
    let ended = each_alone(&cases, |(va, length, _)| {
        rig::console();
        rig::kernel_panics();
        assert_area(VirtAddr::new(*va), *length);
    });
    for (ended, (va, length, inside)) in ended.iter().zip(cases) {
        ended.assert_ended(if inside { 0 } else { 35 });
        let words = std::format!(": {length} bytes at {va:#x} are in no area\r\n");
        assert_eq!(ended.printed.contains(&words), !inside, "{ended:?}");
    }
}

/// Each access checks its addresses.
#[test]
fn accesses_outside_of_areas() {
    let accesses: [fn(); 3] = [
        || THIS.read(VirtAddr::new(START - 1), &mut [0]),
        || THIS.write(VirtAddr::new(START - 1), &[0]),
        || _ = THIS.try_write(VirtAddr::new(START - 1), 0),
    ];
    let ended = each_alone(&accesses, |access| {
        rig::console();
        rig::kernel_panics();
        access();
    });
    for ended in ended {
        assert!(
            ended.printed.contains(": 1 bytes at 0x3fffffffffff are in no area\r\n"),
            "{ended:?}"
        );
    }
}

#[test]
fn services() {
    alone(|| {
        rig::boot("log=info -- a word", || {
            assert_eq!(THIS.command_line(), "a word");
            THIS.print(format_args!("printed\n"));
            let tables = std::format!("{:?}", THIS.tables());
            assert_eq!(tables, std::format!("{:?}", Tables::of::<Layout, Format>()));
            let entry = THIS.read_user(VirtAddr::new(Layout::UPAGES)).expect("it is mapped");
            assert_ne!(entry, 0, "the first frame is reserved");
            assert!(THIS.read_user(VirtAddr::new(Layout::UENVS)).is_err());
            assert_eq!(THIS.heap_use(), HeapUse::default());
            log::info!("logged");
            log::debug!("not logged");
            let free = libjos::mem::pages::PageAllocator::nfree(pmap::lock().pages());
            assert_eq!(app::memory::memory_use().free_pages, free);
            let start = THIS.uptime();
            assert!(THIS.uptime() > start);
            pc().serial.type_bytes(b"typed\r\x04");
            assert_eq!(THIS.read_line("> ").as_deref(), Some("typed"));
            assert_eq!(THIS.read_line("> "), None);
            THIS.exit(ExitCode::from(9))
        })
    })
    .assert_ended(35);
}

/// The time since the start, and the heap's figures.
#[test]
fn time_and_heap() {
    alone(|| {
        rig::boot("", || {
            let before = ThisMachine.uptime();
            assert!(before > Duration::ZERO && ThisMachine.uptime() > before);
            heap::tests::alloc(100);
            let stats = heap::stats().expect("there is a heap");
            let HeapUse { asked, held } = ThisMachine.heap_use();
            assert_eq!((asked, held), (stats.asked as u64, stats.held as u64));
            assert!(asked >= 100 && held > asked);
            ExitCode::SUCCESS
        })
    })
    .assert_tail(33, &["check_page_installed_pgdir() succeeded!"]);
}
