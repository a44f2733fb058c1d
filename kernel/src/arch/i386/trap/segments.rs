//! The kernel's GDT, with JOS's selectors, the tasks in it, and the IDT.

use core::arch::asm;
use core::cell::UnsafeCell;

use super::stubs::task_entries;
use crate::arch::i386::cpu::pgdir_in_use;
use crate::arch::i386::stack::{
    DATA, EXCEPTION_TASK, EXCEPTION_TASKS, KERNEL_TASK, TSS_LIMIT, init_tasks, task_number,
};
use crate::arch::interrupts::{IRQ_OFFSET, NLINES};
use crate::arch::x86::jos::{BREAKPOINT, SYSCALL};
use crate::arch::x86::trap::stubs::{NEXCEPTIONS, stub};

/// Selectors of the segments: JOS's. The tasks of the exceptions follow its last one.
const CODE: u16 = 0x08;
const TASK: u16 = 0x28;
/// A selector's privilege level for user code.
const RPL_USER: u64 = 3;

// Flat segments of 4 GB, already accessed (Intel SDM vol. 3A, 3.4.5), and the place of the privilege level.
const FLAT_CODE: u64 = 0x00CF_9B00_0000_FFFF;
const FLAT_DATA: u64 = 0x00CF_9300_0000_FFFF;
const DPL: u32 = 45;

// The kinds of a TSS's descriptor and of gates, with the bit that says that they are present, and the place of
// the kind (Intel SDM vol. 3A, 3.5, 6.11 and 7.2.2).
const AVAILABLE_TSS: u64 = 0x89;
const TASK_GATE: u64 = 0x85;
const INTERRUPT_GATE: u64 = 0x8E;
const ABSENT_GATE: u64 = INTERRUPT_GATE & !0x80;
const KIND: u32 = 40;

/// Vectors of no exception: bit `n` stands for vector `n` (Intel SDM vol. 3A, 6.3.1, table 6-1; AMD APM
/// vol. 2, 8.2). Vector 9 was a 386's.
const RESERVED: u32 = 1 << 9 | 1 << 15 | 0b11_1111 << 22 | 1 << 31;

/// A table of descriptors, which the processor reads and, for the tasks, writes to.
#[repr(C, align(8))]
struct Table<const N: usize>(UnsafeCell<[u64; N]>);

// SAFETY: Rust code only accesses a table in `init`, before the processor knows of it.
unsafe impl<const N: usize> Sync for Table<N> {}

static GDT: Table<9> = Table(UnsafeCell::new([0; 9]));
static IDT: Table<256> = Table(UnsafeCell::new([0; 256]));

impl<const N: usize> Table<N> {
    /// Fills the table.
    fn set(&self, entries: [u64; N]) -> Pointer {
        // SAFETY: see `Sync`.
        unsafe { self.0.get().write(entries) };
        Pointer { limit: (8 * N - 1) as u16, base: self.0.get().addr() as u32 }
    }
}

/// A table's limit and address, for LGDT and LIDT.
#[repr(C, packed)]
struct Pointer {
    limit: u16,
    base: u32,
}

/// Loads GDT, TSS and IDT. The entry code's GDT lies at a low address, which `kern_pgdir` does not map.
pub(super) fn init() {
    init_tasks(task_entries(), CODE, DATA, pgdir_in_use());
    let [double_fault, nmi, machine_check] =
        EXCEPTION_TASKS.each_ref().map(|task| tss(task.address()));
    let gdt = GDT.set([
        0,
        FLAT_CODE,
        FLAT_DATA,
        FLAT_CODE | RPL_USER << DPL,
        FLAT_DATA | RPL_USER << DPL,
        tss(KERNEL_TASK.address()),
        double_fault,
        nmi,
        machine_check,
    ]);
    let mut gates = [ABSENT_GATE << KIND; 256];
    let exceptions = (0..NEXCEPTIONS).filter(|vector| RESERVED & 1 << vector == 0);
    for vector in exceptions.chain(IRQ_OFFSET..IRQ_OFFSET + NLINES).chain([SYSCALL]) {
        gates[vector as usize] = gate(vector);
    }
    let idt = IDT.set(gates);
    // SAFETY: the selectors belong to the table that is loaded first: flat segments of privilege level 0,
    // like those in use, and the TSS, which is loaded only here. The IDT's stubs return with IRETD.
    unsafe {
        asm!(
            "lgdt [{gdt}]",
            "push {CODE}",
            "lea {data}, [2f]",
            "push {data}",
            "retf",
            "2:",
            "mov {data:x}, {DATA}",
            "mov ss, {data:x}",
            "mov ds, {data:x}",
            "mov es, {data:x}",
            "mov {data:x}, {TASK}",
            "ltr {data:x}",
            "lidt [{idt}]",
            gdt = in(reg) &raw const gdt,
            idt = in(reg) &raw const idt,
            data = out(reg) _,
            CODE = const CODE,
            DATA = const DATA,
            TASK = const TASK,
        );
    }
}

/// The descriptor of the TSS at `base`.
fn tss(base: u32) -> u64 {
    let base = u64::from(base);
    (base & 0xFF00_0000) << 32
        | AVAILABLE_TSS << KIND
        | (base & 0xFF_FFFF) << 16
        | u64::from(TSS_LIMIT)
}

/// The gate of the exception `vector`.
fn gate(vector: u64) -> u64 {
    match task_number(vector) {
        Some(i) => TASK_GATE << KIND | u64::from(EXCEPTION_TASK + 8 * i as u16) << 16,
        None => {
            let offset = stub(vector);
            let dpl = if matches!(vector, BREAKPOINT | SYSCALL) { RPL_USER } else { 0 };
            (offset & 0xFFFF_0000) << 32
                | INTERRUPT_GATE << KIND
                | dpl << DPL
                | u64::from(CODE) << 16
                | offset & 0xFFFF
        }
    }
}
