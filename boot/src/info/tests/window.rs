//! The window on physical memory: where the kernel writes is never read, and texts end before it.

use super::*;

const START: PhysAddr = PhysAddr::new(0);

/// With the kernel in the middle of physical memory, memory on both sides of it is read, and the
/// kernel's is not; nor is the screen's.
#[test]
fn a_loader_that_points_into_the_kernel_is_refused() {
    let mut memory = qemu();
    memory.bytes()[0x300..0x400].fill(b'!');
    memory.bytes()[0x800..0x900].fill(b'!');
    let kernel = PhysRange::from_size(PhysAddr::new(0x300), 0x100);
    let screen = PhysRange::from_size(PhysAddr::new(0x810), 0x10);
    let size = memory.bytes().len() as u64;
    // SAFETY: the memory is borrowed for as long as the window is used.
    let window = unsafe { PhysWindow::new(memory.bytes().as_ptr(), START, size, [kernel, screen]) };
    let bytes = |at, size| window.bytes("it", at, size).map(<[u8]>::len);
    let refused = |at, size| Err(BootInfoError::Written { what: "it", at, size });
    assert_eq!(bytes(0x2F8, 8), Ok(8));
    assert_eq!(bytes(0x2F8, 9), refused(0x2F8, 9));
    assert_eq!(bytes(0x3FF, 1), refused(0x3FF, 1));
    assert_eq!(bytes(0, 0x1000), refused(0, 0x1000));
    assert_eq!(bytes(0x400, 0x410), Ok(0x410));
    assert_eq!(bytes(0x400, 0x411), refused(0x400, 0x411));
    assert_eq!(bytes(0x81F, 1), refused(0x81F, 1));
    assert_eq!(bytes(0x820, 0x7E0), Ok(0x7E0));

    let string = |at| window.string("it", at);
    assert_eq!(string(COMMAND_LINE_AT as u64), Ok(&b"test=panic"[..]));
    assert_eq!(string(0x400), Ok(&[][..]));
    assert_eq!(string(0x340), Err(BootInfoError::Written { what: "it", at: 0x340, size: 1 }));
    assert_eq!(string(0x800), Err(BootInfoError::Truncated { what: "it", at: 0x800 }));
    assert_eq!(string(0x820).map(<[u8]>::len), Ok(0xE0));
    assert!(BootInfo::parse(Protocol::Pvh, AT, window).is_ok());
    let in_kernel = BootInfo::parse(Protocol::Pvh, 0x380, window).unwrap_err();
    assert_eq!(
        in_kernel.to_string(),
        "the boot information at 0x380 (40 bytes) lies in memory that the kernel writes to; use another loader"
    );
}

/// A text without a NUL before the kernel is refused.
#[test]
fn a_text_ends_before_the_kernel() {
    let mut memory = Memory::new(0x20);
    memory.bytes()[..0x10].fill(b'!');
    let kernel = PhysRange::from_size(PhysAddr::new(0x10), 8);
    // SAFETY: the memory is borrowed for as long as the window is used.
    let window = unsafe {
        PhysWindow::new(memory.bytes().as_ptr(), START, 0x20, [kernel, PhysRange::default()])
    };
    let truncated = Err(BootInfoError::Truncated { what: "it", at: 4 });
    assert_eq!(window.string("it", 4), truncated);
}

/// A text's reference does not cover the bytes behind it, which somebody else may write: Miri checks.
#[test]
fn a_text_leaves_alone_what_lies_behind_it() {
    let mut memory = *b"text\0 and more";
    let base = memory.as_mut_ptr();
    // SAFETY: all of it can be read, and nobody writes to the text.
    let window = unsafe { PhysWindow::new(base, START, 14, Default::default()) };
    // SAFETY: nothing else leads to these bytes.
    let behind = unsafe { &mut *base.add(5).cast::<[u8; 9]>() };
    let text = window.string("it", 0);
    behind[0] = b'!';
    assert_eq!(text, Ok(&b"text"[..]));
}

/// Where RAM does not begin at 0, addresses count from its beginning.
#[test]
fn a_window_that_begins_higher() {
    let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
    let first = PhysAddr::new(0x8000_0000);
    // SAFETY: the bytes can be read, and nobody writes to them.
    let window = unsafe { PhysWindow::new(bytes.as_ptr(), first, 8, Default::default()) };
    for at in 0..8 {
        let read = window.bytes("it", 0x8000_0000 + at, 8 - at);
        assert_eq!(read, Ok(&bytes[at as usize..]));
    }
    for at in [0, 0x7FFF_FFFF, 0x8000_0008] {
        assert!(window.bytes("it", at, 1).is_err());
    }
}

#[test]
fn bounds() {
    let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0];
    let window = PhysWindow::from_bytes(&bytes);
    let outside = |at, size| Err(BootInfoError::OutsideWindow { what: "it", at, size, window: 16 });
    for (at, size, wanted) in [
        (0, 0, Ok(&bytes[..0])),
        (0, 16, Ok(&bytes[..])),
        (3, 2, Ok(&bytes[3..5])),
        (15, 1, Ok(&bytes[15..])),
        (16, 0, Ok(&[][..])),
        (0, 17, outside(0, 17)),
        (15, 2, outside(15, 2)),
        (17, 0, outside(17, 0)),
        (1, u64::MAX, outside(1, u64::MAX)),
    ] {
        assert_eq!(window.bytes("it", at, size), wanted);
    }
    assert_eq!(window.aligned("it", 8, 2), Ok(&bytes[8..10]));
    assert_eq!(window.aligned("it", 16, 1), outside(16, 1));
    for at in [1, 4, 12, 17] {
        assert_eq!(window.aligned("it", at, 1), Err(BootInfoError::Misaligned { what: "it", at }));
    }
    assert_eq!(window.string("it", 12), Ok(&bytes[12..15]));
    assert_eq!(window.string("it", 15), Ok(&[][..]));
    assert_eq!(window.string("it", 16), outside(16, 1));
    let unending = PhysWindow::from_bytes(&bytes[..15]);
    assert_eq!(unending.string("it", 12), Err(BootInfoError::Truncated { what: "it", at: 12 }));
}
