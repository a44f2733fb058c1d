//! From the loader's information to the input of `mem_init`.

use alloc::vec::Vec;

use super::*;
use crate::arch::host::process::{alone, each_alone};
use crate::rig;
use boot::info::START_INFO_MAGIC;

fn range(start: u64, end: u64) -> PhysRange {
    PhysRange::new(PhysAddr::new(start), PhysAddr::new(end))
}

/// RAM, reserved memory, ACPI tables (3), ACPI NVS (4), broken RAM (5), and a kind that nobody knows.
const MEMORY: [(u64, u64, u32); 8] = [
    (0, 0x9_FC00, 1),
    (0xF_0000, 0x1_0000, 2),
    (0x10_0000, 0x70_0000, 1),
    (0x40_0000, 0x1000, 3),
    (0x41_0000, 0x1001, 4),
    (0x42_0000, 0x10, 5),
    (0x43_0000, 0x1000, 77),
    (0x7F_0000, 0x1_0000, 2),
];

/// One module of two pages and a bit, and one that begins amid a page.
const MODULES: [(u64, u64); 2] = [(0x50_0000, 0x2001), (0x60_0800, 0x10)];

#[test]
fn down_to_mem_init() {
    alone(|| {
        rig::pvh(&MEMORY, &MODULES, "hello");
        let info = init(START_INFO_MAGIC, rig::START_INFO);
        assert_eq!(info.command_line.as_bytes(), b"hello");
        assert_eq!(get().memory_entries().count(), 8);
        let boot = for_mem_init(info, memory(info, None));
        let usable = [
            range(0, 0x9_F000),
            range(0x10_0000, 0x40_0000),
            range(0x40_1000, 0x41_0000),
            range(0x41_2000, 0x42_0000),
            range(0x42_1000, 0x43_0000),
            range(0x43_1000, 0x7F_0000),
        ];
        assert_eq!(boot.memory.usable().runs(), usable);
        assert_eq!(
            boot.reserved.runs(),
            [
                // Start information, map, modules and command line lie in pages one behind the other.
                range(0x5000, 0x9000),
                range(0x50_0000, 0x50_3000),
                range(0x60_0000, 0x60_1000),
            ]
        );
        let image = symbols::kernel_image();
        assert_eq!(
            [boot.image.text, boot.image.rodata, boot.image.data, boot.image.stack],
            [image.text, image.rodata, image.data, image.stack]
        );
    })
    .assert_returned();
}

#[test]
fn a_limit() {
    alone(|| {
        rig::pvh(&rig::RAM, &[], "");
        let info = init(START_INFO_MAGIC, rig::START_INFO);
        let boot = for_mem_init(info, memory(info, Some(PhysAddr::new(0x50_0123))));
        let used: Vec<_> = boot.memory.used::<Layout>().collect();
        assert_eq!(used, [range(0, 0x9_F000), range(0x10_0000, 0x50_0000)]);
    })
    .assert_returned();
}

/// Before the memory map is made, only the kernel's own memory is known to be RAM.
#[test]
fn ram() {
    alone(|| {
        let known = |at: [u64; 4]| at.map(|pa| is_ram(PhysAddr::new(pa)));
        assert_eq!(known([0xF_FFFF, 0x10_0000, 0x1F_FFFF, 0x20_0000]), [false, true, true, false]);
        rig::pvh(&rig::RAM, &[], "");
        memory(init(START_INFO_MAGIC, rig::START_INFO), None);
        assert_eq!(known([0, 0x9_EFFF, 0x9_F000, 0xF_0000]), [true, true, false, false]);
        assert_eq!(known([0x10_0000, 0x20_0000, 0x7F_FFFF, 0x80_0000]), [true, true, true, false]);
    })
    .assert_returned();
}

/// No boot information lies in the window's last frame, in the kernel, or on the screen.
#[test]
fn places_of_the_information() {
    let cases = [
        (
            0x0FFF_EFF0,
            "JOS64 cannot start: the boot information at 0xfffeff0 (40 bytes) lies outside",
        ),
        (
            0x000F_FFE0,
            "JOS64 cannot start: the boot information at 0xfffe0 (40 bytes) lies in memory that the kernel",
        ),
        (
            0x001F_FFF8,
            "JOS64 cannot start: the boot information at 0x1ffff8 (40 bytes) lies in memory that the kernel",
        ),
        (
            0x000B_8F98,
            "JOS64 cannot start: the boot information at 0xb8f98 (40 bytes) lies in memory that the kernel",
        ),
        // Nothing is wrong with these places.
        (0x000B_8FA0, "JOS64 cannot start: the boot information at 0xb8fa0 is invalid (0x"),
        (0x0FFF_EFD8, "JOS64 cannot start: the boot information at 0xfffefd8 is invalid (0x0)"),
        (0x000F_FFD8, "JOS64 cannot start: the boot information at 0xfffd8 is invalid (0x0)"),
        (0x0020_0000, "JOS64 cannot start: the boot information at 0x200000 is invalid (0x0)"),
    ];
    let ended = each_alone(&cases, |(at, _)| {
        rig::console();
        rig::kernel_panics();
        init(START_INFO_MAGIC, *at);
    });
    for (ended, (_, words)) in ended.iter().zip(cases) {
        assert!(ended.printed.contains(words), "{ended:?}");
        ended.assert_ended(35);
    }
}

/// The window may be read wherever a loader can have written, and above it RAM that is used.
#[test]
fn what_only_a_loader_writes() {
    let image = symbols::kernel_image();
    let (kernel, end) = (image.text.start.as_u64(), image.data.end_exclusive.as_u64());
    let window_end = Layout::WINDOW_LAST_FRAME;
    let cases = [
        (0x40_0000, 0x40_0800, true),
        (0x80_0000, 0x80_0800, true),
        (window_end - 0x800, window_end, true),
        (window_end - 0x800, window_end + 0x800, false),
        (0x4000_0000, 0x4000_0800, true),
        (0x7FFF_F800, 0x8000_0000, true),
        (0x7FFF_F800, 0x8000_0800, false),
        (kernel, kernel + 1, false),
        (end - 1, end, false),
        (end, end + 1, true),
        (0x9_F000, 0xA_0000, true),
        (0x9_F000, 0xA_0001, false),
        (0xB_8000, 0xB_8800, false),
    ];
    alone(move || {
        rig::pvh(&[(0x10_0000, 0x70_0000, 1), (0x4000_0000, 0x4000_0000, 1)], &[], "");
        memory(init(START_INFO_MAGIC, rig::START_INFO), None);
        for (start, end, expected) in cases {
            assert_eq!(is_readable(range(start, end)), expected, "{start:#x} to {end:#x}");
        }
    })
    .assert_returned();
}
