//! The registers of a program: where calls find them, what its page-fault handler gets, and JOS's lines.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::mem::offset_of;

use libjos::env::frame::UserFrame;

use super::*;

/// A frame in which each register has a number of its own.
fn frame() -> Frame {
    let trap = TrapFrame {
        r15: 1,
        r14: 2,
        r13: 3,
        r12: 4,
        r11: 5,
        r10: 6,
        r9: 7,
        r8: 8,
        rbp: 9,
        rdi: 10,
        rsi: 11,
        rdx: 12,
        rcx: 13,
        rbx: 14,
        rax: 15,
        vector: 14,
        error: 6,
        rip: 18,
        cs: 0xABCD_0023,
        rflags: 0x202,
        rsp: 21,
        ss: 0xABCD_001B,
    };
    Frame { trap }
}

/// Programs read frames at UENVS: 22 words.
#[test]
fn the_layout() {
    assert_eq!(size_of::<Frame>(), 176);
    let offsets = [
        (offset_of!(TrapFrame, r15), 0),
        (offset_of!(TrapFrame, rdi), 72),
        (offset_of!(TrapFrame, rax), 112),
        (offset_of!(TrapFrame, vector), 120),
        (offset_of!(TrapFrame, error), 128),
        (offset_of!(TrapFrame, rip), 136),
        (offset_of!(TrapFrame, cs), 144),
        (offset_of!(TrapFrame, rflags), 152),
        (offset_of!(TrapFrame, rsp), 160),
        (offset_of!(TrapFrame, ss), 168),
    ];
    for (found, wanted) in offsets {
        assert_eq!(found, wanted);
    }
}

#[test]
fn a_new_program_has_its_stack_and_its_segments() {
    let frame = Frame::user(VirtAddr::new(0x80_0020), VirtAddr::new(0x7000)).trap;
    let begun = TrapFrame {
        rip: 0x80_0020,
        cs: 0x23,
        rflags: 0x202,
        rsp: 0x7000,
        ss: 0x1B,
        ..TrapFrame::default()
    };
    assert_eq!(std::format!("{frame:?}"), std::format!("{begun:?}"));
}

#[test]
fn a_call_is_in_its_registers() {
    let mut frame = frame();
    assert_eq!(frame.number(), 15);
    // RDI, RSI, RDX, R10, R8: RCX is SYSCALL's own.
    assert_eq!([0, 1, 2, 3, 4].map(|n| frame.argument(n)), [10, 11, 12, 6, 8]);
    frame.set_result(-3);
    assert_eq!((frame.number(), frame.argument(0)), (u64::MAX - 2, 10));
    frame.set_result(0x1_0000_0001);
    assert_eq!(frame.number(), 0x1_0000_0001);
}

/// The instruction of a call has two bytes.
#[test]
fn a_call_is_made_again() {
    let mut frame = frame();
    let arguments = [0, 1, 2].map(|n| frame.argument(n));
    frame.call_again();
    assert_eq!([0, 1, 2].map(|n| frame.argument(n)), arguments);
    assert_eq!((frame.pc().as_u64(), frame.sp().as_u64(), frame.number()), (16, 21, 15));
}

#[test]
fn a_program_is_sent_to_its_handler() {
    let mut frame = frame();
    assert_eq!((frame.pc().as_u64(), frame.sp().as_u64()), (18, 21));
    let upcall = frame.utrapframe(VirtAddr::new(99));
    let words = upcall.bytes().chunks_exact(8);
    let words: Vec<u64> = words.map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
    // The address, the error code, the registers in the order of the frame, RIP, the flags, RSP.
    let wanted: Vec<u64> = [99, 6].into_iter().chain(1..=15).chain([18, 0x202, 21]).collect();
    assert_eq!(words, wanted);
    frame.redirect(VirtAddr::new(0x80_0040), VirtAddr::new(0x6F00));
    assert_eq!(
        (frame.trap.rip, frame.trap.rsp, frame.trap.rax, frame.trap.cs),
        (0x80_0040, 0x6F00, 15, 0xABCD_0023)
    );
}

/// A step may end in the program's handler. The flag that makes it a step is not one that the handler gives back.
#[test]
fn a_handler_goes_back_without_the_trap_flag() {
    let mut frame = frame();
    frame.step(true);
    assert_eq!(frame.trap.rflags, 0x302);
    assert_eq!(frame.utrapframe(VirtAddr::new(99)).utf_eflags, 0x202);
}

/// A line for each register, in JOS's order and words; of a selector its 16 bits.
#[test]
fn the_lines() {
    let mut other = frame();
    (other.trap.vector, other.trap.error) = (13, 0x28);
    let lines = other.to_string();
    let general = [
        "r15", "r14", "r13", "r12", "r11", "r10", "r9 ", "r8 ", "rbp", "rdi", "rsi", "rdx", "rcx",
        "rbx", "rax",
    ];
    let mut wanted: Vec<String> = general
        .into_iter()
        .zip(1..)
        .map(|(name, value)| std::format!("  {name}  {value:#018x}"))
        .collect();
    wanted.extend(
        [
            "  trap 0x0000000d General Protection",
            "  err  0x00000028",
            "  rip  0x0000000000000012",
            "  cs   0x----0023",
            "  flag 0x00000202",
            "  rsp  0x0000000000000015",
            "  ss   0x----001b",
        ]
        .map(String::from),
    );
    assert_eq!(lines.lines().collect::<Vec<_>>(), wanted);
    assert!(lines.ends_with('\n'));
}

/// A page fault has two more words: the address, and what the error code means.
#[test]
fn the_lines_of_a_page_fault() {
    let printed = crate::arch::host::process::alone(|| {
        crate::arch::host::pc().processor.control.cr2 = 0xDEAD_BEEF;
        crate::rig::console();
        print!("{}", frame());
    });
    let lines = ["  trap 0x0000000e Page Fault", "  cr2  0x00000000deadbeef"];
    let error = "  err  0x00000006 [user, write, not-present]";
    let found: Vec<_> = printed.printed.lines().skip(15).take(3).collect();
    assert_eq!(found, [lines[0], lines[1], error], "{printed:?}");
}

/// A division by zero that ends the program in the middle of a step is none.
#[test]
fn a_step_is_told_from_other_exceptions() {
    let mut frame = frame();
    for (vector, is_step) in [(0, false), (1, true), (3, false), (14, false)] {
        frame.trap.vector = vector;
        assert_eq!(frame.is_step(), is_step, "{vector}");
    }
}
