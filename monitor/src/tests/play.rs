//! Commands that change pages and mappings: refusals change nothing, and uses are counted.

use std::string::ToString;
use std::vec::Vec;

use layout::{Jos64, MemLayout, PGSIZE};

use super::monitor64;
use libjos::app::area::area_addresses;
use libjos::mem::addr::VirtAddr;
use libjos::mem::pages::{ALLOC_ZERO, PageAllocator};
use libjos::paging::format::Perm;

#[test]
fn playing_changes_nothing_where_it_fails() {
    let mut monitor = monitor64();
    let page = monitor.alloc();
    let insert = |text: &str| std::format!("insert {text}");
    let before = (
        monitor.pmap.pages().infos().collect::<Vec<_>>(),
        monitor.run("map"),
        monitor.run("vmprint"),
    );
    for (line, reason) in [
        ("alloc 64", "alloc gives out 64 pages at most at a time, so 63 more now"),
        ("alloc 0xffffffffffffffff", "at most"),
        ("alloc x", "unknown name"),
        ("alloc 1 2", "\"2\" is one word too many"),
        ("free", "something is missing"),
        ("free 0", "not one of alloc's"),
        ("free -f 0", "reserved"),
        ("free kern_pgdir", "not one of alloc's"),
        ("free 0xfffffffff000", "no page of RAM"),
        ("setperm UTEMP +w", "is not mapped"),
        ("setperm UTEMP", "something is missing"),
        ("setperm UTEMP u", "\"u\" is not + or - and letters of"),
        ("setperm KERNBASE -w", "the kernel's"),
        ("setperm -f UVPT +w", "is UVPT's"),
        ("setperm -f KERNBASE -r", "cannot withhold 'r'"),
        ("setperm 0x800000000000 +w", "not a canonical"),
        ("setperm -f 0x800000000000 +w", "not a canonical"),
        ("remove UTEMP", "is not mapped"),
        ("remove KERNBASE", "the kernel's"),
        ("remove -f KERNBASE+0x400000", "large page"),
        ("remove -f UVPT", "is UVPT's"),
        ("remove 0x800000000000", "not a canonical"),
        ("remove -f 0x800000000000", "not a canonical"),
        (&insert("UTEMP"), "something is missing"),
        (&insert("UTEMP 0xfffffffff000"), "no page of RAM"),
        (&insert("UTEMP 0"), "not one of alloc's"),
        (&insert(&std::format!("KERNBASE {page}")), "the kernel's"),
        (&insert(&std::format!("UTEMP {page} +q")), "\"+q\" is not + or -"),
        (&insert(&std::format!("UTEMP {page} +wg")), "cannot be global"),
        (&insert(&std::format!("-f UTEMP {page} +g")), "cannot be global"),
        ("pages 0 0x1000", "\"0x1000\" is one word too many"),
        ("freelist 1 2 3", "\"2\" is one word too many"),
        ("checks now", "\"now\" is one word too many"),
        ("memmap -f", "\"-f\" is one word too many"),
        ("dump 0 1 2", "\"2\" is one word too many"),
        ("dump", "something is missing"),
        ("showmappings 0 1 2", "\"2\" is one word too many"),
        ("showmappings", "something is missing"),
        (&insert(&std::format!("-f KERNBASE+0x400000 {page}")), "large page"),
        (&insert(&std::format!("0x800000000000 {page}")), "not a canonical"),
        (&insert(&std::format!("-f 0x800000000000 {page}")), "not a canonical"),
        (&insert("UTEMP 0x3000+PGSIZE*2"), "unknown name"),
        (&insert("UTEMP 12ab"), "not a number"),
    ] {
        let error = monitor.error(line);
        assert!(error.contains(reason), "{line}: {error}");
    }
    let free = monitor.run("freelist 1").lines().nth(1).unwrap().trim().to_string();
    let free = free.split(',').next().unwrap();
    assert!(monitor.error(&std::format!("insert UTEMP {free}")).contains("free already"));
    assert!(monitor.error(&std::format!("free -f {free}")).contains("free already"));
    let after = (
        monitor.pmap.pages().infos().collect::<Vec<_>>(),
        monitor.run("map"),
        monitor.run("vmprint"),
    );
    assert!(before == after);
}

#[test]
fn a_page_lives_while_anything_uses_it() {
    let mut monitor = monitor64();
    let nfree = monitor.pmap.pages().nfree();
    let page = monitor.alloc();
    assert!(monitor.run(&std::format!("insert UTEMP {page}")).contains("pp_ref 2"));
    assert!(monitor.error("setperm UTEMP +g").contains("cannot be global"));
    assert!(monitor.error("checks").contains("is mapped, and check_kern_pgdir would panic"));
    assert!(monitor.run(&std::format!("free {page}")).contains("still mapped: pp_ref 1"));
    assert!(monitor.error(&std::format!("free {page}")).contains("not one of alloc's"));
    let out = monitor.run("remove UTEMP+0x123");
    assert!(out.ends_with(&std::format!("page {page} is free\n")), "{out}");
    assert_eq!(monitor.pmap.pages().nfree(), nfree);
    monitor.run("alloc 64");
    assert!(monitor.error("alloc").contains("at most at a time, so 0 more now"));
    monitor.pmap.checks().check_page_free_list();
}

/// Pages of the application's heap and areas take -f. Those that `alloc` gave out, and what is mapped below the heap,
/// do not.
#[test]
fn the_applications_pages_stay() {
    let mut monitor = monitor64();
    let page = monitor.alloc();
    let theirs = monitor.pmap.page_alloc(ALLOC_ZERO).expect("a free page");
    let last = area_addresses::<Jos64>().end - PGSIZE;
    let (vm, pgdir) = monitor.pmap.split();
    for va in [Jos64::UHEAP, last, Jos64::UHEAP - PGSIZE] {
        vm.page_insert(pgdir, theirs, VirtAddr::new(va), Perm::W).expect("a table");
    }
    for va in ["UHEAP", &std::format!("{last:#x}")] {
        for line in ["setperm VA +w", "remove VA", &std::format!("insert VA {page}")] {
            let line = line.replace("VA", va);
            assert!(monitor.error(&line).contains("the application's heap or areas"), "{line}");
        }
        monitor.run(&std::format!("setperm -f {va} -w"));
        monitor.run(&std::format!("insert -f {va} {page}"));
        monitor.run(&std::format!("setperm {va} +w"));
        monitor.run(&std::format!("remove {va}"));
    }
    monitor.run("remove UHEAP-0x1000");
    assert_eq!(monitor.pmap.pages().pp_ref(theirs), 0);
}
