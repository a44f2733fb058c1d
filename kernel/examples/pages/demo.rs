//! Aliases, guard pages, protection, a lazily filled array, snapshots by copy-on-write, and more
//! addresses than memory. `CMDLINE='-- overrun'` adds a write to a guard page that its handler does not
//! resolve.

use libjos::alloc::sync::Arc;
use libjos::prelude::*;
use libjos::println;

/// Runs all demonstrations.
pub(crate) fn main() -> Result<(), VmError> {
    alias()?;
    guard()?;
    protect()?;
    lazy()?;
    snapshot()?;
    sparse()?;
    if command_line() == "overrun" {
        let area = VmArea::allocate(3)?;
        area.unmap(1..3)?;
        // The handler faults itself, at another page; the report must be about the write below.
        area.on_fault(|area, _| area.try_read(2 * PGSIZE).is_ok());
        area.write(PGSIZE - 4, b"overrun");
    }
    Ok(())
}

/// Maps a frame at two addresses.
fn alias() -> Result<(), VmError> {
    let (one, other) = (VmArea::allocate(1)?, VmArea::reserve(1)?);
    other.alias(0, &one, 0, Access::Read)?;
    one.store(0, 42);
    let (here, there) = (one.translate(0), other.translate(0));
    let same = here.zip(there).is_some_and(|(here, there)| here.pa == there.pa);
    let pp_ref = here.map_or(0, |here| here.pp_ref);
    println!("alias: {} at the other address; same frame: {same}, pp_ref {pp_ref}", other.load(0));
    drop(one);
    let pp_ref = other.translate(0).map_or(0, |there| there.pp_ref);
    println!("alias: {} when the first is gone, pp_ref {pp_ref}", other.load(0));
    Ok(())
}

/// Unmaps the middle page of three.
fn guard() -> Result<(), VmError> {
    let area = VmArea::allocate(3)?;
    area.unmap(1..2)?;
    for offset in [0, PGSIZE, 2 * PGSIZE] {
        match area.try_read(offset) {
            Ok(byte) => println!("guard: byte {offset} is {byte}"),
            Err(fault) => println!("guard: byte {offset} faults, present: {}", fault.present),
        }
    }
    Ok(())
}

/// Makes a page read-only.
fn protect() -> Result<(), VmError> {
    let area = VmArea::allocate(1)?;
    area.write(0, b"kept");
    area.protect(0..1, Access::Read)?;
    let fault = area.try_write(0, b'X').expect_err("the page is read-only");
    let mut bytes = [0; 4];
    area.read(0, &mut bytes);
    println!(
        "protect: write faults, present: {}; still {:?}",
        fault.present,
        String::from_utf8_lossy(&bytes)
    );
    Ok(())
}

/// A large array of squares. Each of its pages is filled at its first use.
fn lazy() -> Result<(), VmError> {
    const NUMBERS_IN_PAGE: u64 = PGSIZE / 8;
    let npages = 100_000;
    let squares = VmArea::reserve(npages)?;
    squares.on_fault(|squares, fault| {
        if let Err(error) = squares.map(fault.page..fault.page + 1, Access::ReadWrite) {
            println!("lazy: {error}");
            return false;
        }
        let start = fault.page as u64 * NUMBERS_IN_PAGE;
        (start..start + NUMBERS_IN_PAGE).for_each(|n| squares.store(n * 8, n * n));
        true
    });
    let numbers = [3, 1000, 1001, 51_199_999];
    let found = numbers.map(|n| squares.load(n * 8));
    let made = (0..npages).filter(|page| squares.translate(*page).is_some()).count();
    println!("lazy: {found:?} with {made} of {npages} pages");
    Ok(())
}

/// A snapshot that shares each page until the page is written.
fn snapshot() -> Result<(), VmError> {
    let pages = 4;
    let (now, before) = (VmArea::allocate(pages)?, VmArea::reserve(pages)?);
    (0..pages as u64).for_each(|page| now.store(page * PGSIZE, page + 1));
    for page in 0..pages {
        before.alias(page, &now, page, Access::Read)?;
    }
    now.protect(0..pages, Access::Read)?;
    let copied = Arc::new(core::sync::atomic::AtomicUsize::new(0));
    let counter = copied.clone();
    now.on_fault(move |now, fault| {
        counter.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
        fault.present && fault.write && now.make_private(fault.page).is_ok()
    });

    now.store(2 * PGSIZE, 33);
    let all = |area: &VmArea| -> Vec<u64> {
        (0..pages as u64).map(|page| area.load(page * PGSIZE)).collect()
    };
    println!("snapshot: was {:?}, is {:?}, {copied:?} page copied", all(&before), all(&now));
    Ok(())
}

/// Reserves more addresses than memory, 4 TB if the machine has so many: only the pages that are used cost
/// anything, also when the area is given back.
fn sparse() -> Result<(), VmError> {
    let used = 100;
    let mut npages = 1 << 30;
    let area = loop {
        match VmArea::reserve(npages) {
            Err(VmError::OutOfAddresses { .. }) => npages /= 2,
            area => break area?,
        }
    };
    area.on_fault(|area, fault| area.map(fault.page..fault.page + 1, Access::ReadWrite).is_ok());
    let offset = |i: u64| i * (area.size() / used);
    (0..used).for_each(|i| area.store(offset(i) / PGSIZE * PGSIZE, i));
    let sum: u64 = (0..used).map(|i| area.load(offset(i) / PGSIZE * PGSIZE)).sum();
    println!("sparse: {used} of {npages} pages, the sum of what they hold {sum}");
    Ok(())
}
