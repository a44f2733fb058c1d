//! The bounds of the stacks, and the move to KSTACKTOP.

use super::*;
use crate::arch::cpu;
use crate::arch::host::memory::{BOOT_STACK, EXCEPTION_STACK};
use crate::arch::host::process::{each_alone, end};
use crate::rig;

#[test]
fn bounds() {
    let boot_top = BOOT_STACK + Layout::KSTKSIZE;
    for (va, size, inside) in [
        (BOOT_STACK, 8, true),
        (BOOT_STACK - 1, 1, false),
        (BOOT_STACK, Layout::KSTKSIZE, true),
        (BOOT_STACK, Layout::KSTKSIZE + 1, false),
        (boot_top - 8, 8, true),
        (boot_top - 8, 9, false),
        (boot_top, 0, false),
        (Layout::KSTACK, 8, true),
        (Layout::KSTACK - 8, 8, false),
        (Layout::KSTACKTOP - 8, 8, true),
        (Layout::KSTACKTOP, 8, false),
        (EXCEPTION_STACK, 0x4000, true),
        (EXCEPTION_STACK + 0x4000, 8, false),
    ] {
        assert_eq!(contains(VirtAddr::new(va), size), inside, "{va:#x}, {size}");
    }
}

extern "C" fn moved() -> ! {
    assert_eq!(cpu::stack_pointer().as_u64(), Layout::KSTACKTOP - 8);
    assert_eq!(cpu::frame_pointer(), 0);
    end(7)
}

#[test]
fn the_move() {
    let ended = each_alone(&[PGSIZE, Layout::KSTKSIZE - 8], |used| {
        rig::write(BOOT_STACK - Layout::KERNBASE + used, &[1]);
        move_to_kstacktop(moved)
    });
    ended.iter().for_each(|ended| ended.assert_ended(7));
}

/// A boot stack that was used down to its last page.
#[test]
fn a_boot_stack_that_is_used_up() {
    let ended = each_alone(&[0, 8, PGSIZE - 1], |used| {
        rig::console();
        rig::kernel_panics();
        rig::write(BOOT_STACK - Layout::KERNBASE + used, &[1]);
        move_to_kstacktop(moved)
    });
    for ended in ended {
        assert!(ended.printed.contains(": the boot stack is nearly used up\r\n"), "{ended:?}");
        ended.assert_ended(35);
    }
}
