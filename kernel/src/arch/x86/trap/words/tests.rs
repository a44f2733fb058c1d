//! A trap's numbers in words: every register under its own name, every bit of an error code.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Display;

use monitor::processor::vector::MACHINE_CHECK;

use super::*;
use crate::arch::host::pc;
use crate::arch::host::process::alone;

/// A frame whose registers hold different numbers.
fn frame() -> TrapFrame {
    TrapFrame {
        r15: 0x15,
        r14: 0x14,
        r13: 0x13,
        r12: 0x12,
        r11: 0x11,
        r10: 0x10,
        r9: 0x9,
        r8: 0x8,
        rbp: 0xB9,
        rdi: 0xD1,
        rsi: 0x51,
        rdx: 0xD,
        rcx: 0xC,
        rbx: 0xB,
        rax: 0xA,
        vector: 3,
        error: 0,
        rip: 0x1B,
        cs: 0xC5,
        rflags: 0xCD7,
        rsp: 0x5B,
        ss: 0x55,
    }
}

/// `write` of a trap with this frame.
struct Written(TrapFrame, fn(&Trap<'_>, &mut fmt::Formatter<'_>) -> fmt::Result);

impl Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut frame = self.0;
        (self.1)(&Trap { frame: &mut frame, cr2: 0xC2 }, f)
    }
}

fn detail(frame: TrapFrame) -> String {
    Written(frame, |trap, f| trap.write_detail(f)).to_string()
}

#[test]
fn registers_under_their_names() {
    alone(|| {
        {
            let control = &mut pc().processor.control;
            (control.cr0, control.cr2, control.cr3) = (1 << 0 | 1 << 31, 0x999, 0x3000);
            (control.cr4, control.cr8, control.efer) = (1 << 5, 8, 1 << 8);
        }
        let written = Written(frame(), |trap, f| trap.write_registers(f)).to_string();
        let expected = "  rax    000000000000000a  rbx    000000000000000b  rcx    000000000000000c
  rdx    000000000000000d  rsi    0000000000000051  rdi    00000000000000d1
  rbp    00000000000000b9  rsp    000000000000005b  rip    000000000000001b
  r8     0000000000000008  r9     0000000000000009  r10    0000000000000010
  r11    0000000000000011  r12    0000000000000012  r13    0000000000000013
  r14    0000000000000014  r15    0000000000000015  cs     00000000000000c5
  ss     0000000000000055
  RFLAGS 0000000000000cd7  CF 1 PF AF ZF SF DF OF
  CR0    0000000080000001  PE PG
  CR2    00000000000000c2  VA=0xc2
  CR3    0000000000003000  PFN=0x3
  CR4    0000000000000020  PAE
  CR8    0000000000000008  TPR=0x8
  EFER   0000000000000100  LME
  error code 0x0: this exception has none
";
        assert_eq!(written, expected);
    })
    .assert_returned();
}

/// The parts that the stubs and the processor push, in their order (Intel SDM vol. 3A, 6.14.2).
#[test]
fn the_layout_of_a_frame() {
    let words = core::array::from_fn(|i| i as u64);
    // SAFETY: a frame is 22 words.
    let frame = unsafe { core::mem::transmute::<[u64; 22], TrapFrame>(words) };
    assert_eq!([frame.r15, frame.r8, frame.rbp, frame.rax], [0, 7, 8, 14]);
    let by_processor = [frame.error, frame.rip, frame.cs, frame.rflags, frame.rsp, frame.ss];
    assert_eq!((frame.vector, by_processor), (15, [16, 17, 18, 19, 20, 21]));
}

#[test]
fn program_counter_and_frame_pointer() {
    let mut frame = frame();
    let trap = Trap { frame: &mut frame, cr2: 0 };
    assert_eq!((trap.instruction(), trap.frame_pointer()), (0x1B, 0xB9));
}

#[test]
fn names_and_codes() {
    for (vector, name, code) in [
        (0, "divide error", "#DE, vector 0"),
        (2, "non-maskable interrupt", "NMI, vector 2"),
        (8, "double fault", "#DF, vector 8"),
        (14, "page fault", "#PF, vector 14"),
        (18, "machine check", "#MC, vector 18"),
    ] {
        let mut frame = TrapFrame { vector, ..frame() };
        assert_eq!(Written(frame, |trap, f| trap.write_code(f)).to_string(), code);
        assert_eq!(Trap { frame: &mut frame, cr2: 0 }.name(), name);
    }
}

/// Each bit of a page fault's error code (Intel SDM vol. 3A, 4.7), and the other vectors.
#[test]
fn causes() {
    let cause = |vector, error| {
        let mut frame = TrapFrame { vector, error, ..frame() };
        Trap { frame: &mut frame, cr2: 0x1234 }.cause()
    };
    let (read, write, fetch) = (AccessKind::Read, AccessKind::Write, AccessKind::Fetch);
    for (error, access, present, malformed, by_user) in [
        (0, read, false, false, false),
        (1, read, true, false, false),
        (2, write, false, false, false),
        (4, read, false, false, true),
        (8, read, false, true, false),
        (16, fetch, false, false, false),
        (0x1_0020, read, false, false, false),
        (31, fetch, true, true, true),
    ] {
        let Cause::PageFault(fault) = cause(14, error) else { panic!("no page fault") };
        assert_eq!(fault.va.as_u64(), 0x1234);
        assert_eq!(
            (fault.access, fault.present, fault.malformed, fault.by_user),
            (access, present, malformed, by_user),
            "{error:#x}"
        );
    }
    // Without no-execute pages a processor reports a fetch as a read: then the address is that of the instruction.
    for (error, rip, access) in [(0, 0x1234, fetch), (0, 0x1233, read), (1, 0x1234, read)] {
        let mut frame = TrapFrame { vector: 14, error, rip, ..frame() };
        let Cause::PageFault(fault) = (Trap { frame: &mut frame, cr2: 0x1234 }).cause() else {
            panic!("no page fault")
        };
        assert_eq!(fault.access, access, "{error:#x} {rip:#x}");
    }
    assert!(matches!(cause(8, 0), Cause::DoubleFault(va) if va.as_u64() == 0x1234));
    for vector in (0..32).filter(|vector| ![8, 14].contains(vector)) {
        assert!(matches!(cause(vector, 31), Cause::Other), "{vector}");
    }
}

#[test]
fn selectors() {
    for (error, words) in [
        (0x28, ": GDT entry 5"),
        (0x29, ": GDT entry 5, on an external event"),
        (0x402, ": IDT entry 128"),
        (0x2C, ": LDT entry 5"),
    ] {
        for vector in 10..=13 {
            assert_eq!(detail(TrapFrame { vector, error, ..frame() }), words, "{vector}");
        }
        for vector in [9, 14] {
            assert_eq!(detail(TrapFrame { vector, error, ..frame() }), "");
        }
    }
}

/// Without a selector, the first register that is not canonical is to blame: RIP and RSP before others.
#[test]
fn non_canonical_registers() {
    let (first, last) = (Layout::LOWER_END, Layout::UPPER_START - 1);
    let blamed = |frame: TrapFrame| detail(TrapFrame { vector: 13, ..frame });
    let said = |name, value| {
        format!(": access to a non-canonical address, it seems: {name} is {value:#018x}")
    };
    assert_eq!(blamed(TrapFrame { r9: first, ..frame() }), said("r9", first));
    assert_eq!(blamed(TrapFrame { rax: last, r9: first, ..frame() }), said("rax", last));
    assert_eq!(blamed(TrapFrame { rax: last, rsp: first, ..frame() }), said("rsp", first));
    assert_eq!(
        blamed(TrapFrame { rax: last, rsp: first, rip: last, ..frame() }),
        said("rsp", first)
    );
    assert_eq!(blamed(TrapFrame { rax: last, rip: last, ..frame() }), said("rip", last));
    for vector in 10..=12 {
        assert_eq!(detail(TrapFrame { vector, rcx: last, ..frame() }), said("rcx", last));
    }
    // The neighbours of the hole are canonical.
    let neighbours = TrapFrame { rax: first - 1, rbx: last + 1, ..frame() };
    for (vector, words) in [
        (13, ": an instruction or operand that is not allowed here"),
        (12, ": an instruction or operand that is not allowed here"),
        (11, ""),
        (10, ""),
    ] {
        assert_eq!(detail(TrapFrame { vector, ..neighbours }), words);
    }
}

/// Only a machine check has records.
#[test]
fn records() {
    alone(|| {
        pc().processor.cpuid.insert((0, 0), [1, 0, 0, 0]);
        pc().processor.cpuid.insert((1, 0), [0, 0, 0, 1 << 14]);
        pc().processor.msrs.insert(0x17A, 1 << 2);
        let records = |vector| {
            Written(TrapFrame { vector, ..frame() }, |trap, f| trap.write_records(f)).to_string()
        };
        assert_eq!(records(14), "");
        assert_eq!(records(MACHINE_CHECK), "  MCG_STATUS  0000000000000004  MCIP\n");
    })
    .assert_returned();
}
