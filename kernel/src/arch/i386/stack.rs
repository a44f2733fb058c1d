//! The switch to another stack, and the tasks that double fault, NMI and machine check run as, each on a
//! stack of its own.
//!
//! On i386 an exception within the kernel has the interrupted stack, unless its gate is a task gate: then
//! the processor puts all registers in the task state segment (TSS) in use, and takes them from another
//! (Intel SDM vol. 3A, 7.3). Such a task never returns.

use core::arch::naked_asm;
use core::cell::UnsafeCell;

use layout::MemLayout;
use libjos::mem::addr::PhysAddr;
use monitor::processor::vector::{DOUBLE_FAULT, MACHINE_CHECK, NMI};

use crate::arch::Layout;
use crate::arch::x86::stack::EXCEPTION_STACKS;

pub(crate) use crate::arch::x86::stack::exception_stacks;

/// A task state segment (Intel SDM vol. 3A, figure 7-2). Selectors take 32 bits each.
#[derive(Clone, Copy, Default)]
#[repr(C, align(128))]
#[allow(missing_docs, reason = "each field is the register of its name")]
pub(super) struct TaskState {
    pub link: u32,
    pub stacks: [u32; 6],
    pub cr3: u32,
    pub eip: u32,
    pub eflags: u32,
    pub eax: u32,
    pub ecx: u32,
    pub edx: u32,
    pub ebx: u32,
    pub esp: u32,
    pub ebp: u32,
    pub esi: u32,
    pub edi: u32,
    pub es: u32,
    pub cs: u32,
    pub ss: u32,
    pub ds: u32,
    pub fs: u32,
    pub gs: u32,
    pub ldt: u32,
    /// The offset of the I/O permissions, in the upper half: none, if it is the segment's limit.
    pub io: u32,
}

/// The limit of a TSS.
pub(super) const TSS_LIMIT: u32 = core::mem::offset_of!(TaskState, io) as u32 + 3;

/// A TSS that the processor writes to.
#[repr(transparent)]
pub(super) struct Task(UnsafeCell<TaskState>);

// SAFETY: only `state`, `set` and `set_pgdir` of `Task` access the memory; one processor runs, with interrupts off,
// and it writes to a TSS only when it changes tasks.
unsafe impl Sync for Task {}

impl Task {
    const fn new() -> Self {
        // SAFETY: all fields are integers.
        Self(UnsafeCell::new(unsafe { core::mem::zeroed() }))
    }

    /// The address, for a descriptor.
    pub(super) fn address(&self) -> u32 {
        self.0.get().addr() as u32
    }

    /// The registers of the task, which does not run.
    pub(super) fn state(&self) -> TaskState {
        // SAFETY: see `Sync`.
        unsafe { self.0.get().read_volatile() }
    }

    /// Sets the page directory of the task, which does not run.
    fn set_pgdir(&self, pgdir: PhysAddr) {
        // SAFETY: see `Sync`; a field of what lies there.
        unsafe { (&raw mut (*self.0.get()).cr3).write_volatile(pgdir.as_u64() as u32) };
    }

    /// Sets the registers of the task, which does not run.
    fn set(&self, state: TaskState) {
        // SAFETY: see `Sync`.
        unsafe { self.0.get().write_volatile(state) };
    }
}

/// The task of the kernel: its registers, while one of [`EXCEPTION_TASKS`] runs.
pub(super) static KERNEL_TASK: Task = Task::new();

/// The tasks of double fault, NMI and machine check, in this order.
pub(super) static EXCEPTION_TASKS: [Task; 3] = [const { Task::new() }; 3];

/// The selector of the kernel's data: JOS's.
pub(super) const DATA: u16 = 0x10;

/// The selector of the first of these tasks. The others follow it.
pub(super) const EXCEPTION_TASK: u16 = 0x30;

/// The number of the task that the exception `vector` has.
pub(super) fn task_number(vector: u64) -> Option<usize> {
    [DOUBLE_FAULT, NMI, MACHINE_CHECK].iter().position(|its| *its == vector)
}

/// The task that the exception `vector` has.
pub(super) fn exception_task(vector: u64) -> Option<&'static Task> {
    task_number(vector).map(|i| &EXCEPTION_TASKS[i])
}

/// The task with this selector.
pub(super) fn task_of(selector: u16) -> &'static Task {
    let i = usize::from(selector.wrapping_sub(EXCEPTION_TASK) / 8);
    EXCEPTION_TASKS.get(i).unwrap_or(&KERNEL_TASK)
}

/// Sets up the tasks: each begins at its one of `entries`, in the segments with the selectors `code` and
/// `data`.
pub(super) fn init_tasks(entries: [u32; 3], code: u16, data: u16, pgdir: PhysAddr) {
    let (cs, data) = (code.into(), data.into());
    let io = (TSS_LIMIT + 1) << 16;
    // The stack for traps of programs: its top, and its segment.
    let stacks = [Layout::KSTACKTOP as u32, data, 0, 0, 0, 0];
    KERNEL_TASK.set(TaskState { stacks, io, ..TaskState::default() });
    for ((task, eip), stack) in EXCEPTION_TASKS.iter().zip(entries).zip(&EXCEPTION_STACKS) {
        task.set(TaskState {
            cr3: pgdir.as_u64() as u32,
            eip,
            eflags: 1 << 1, // always set
            esp: stack.top().as_u64() as u32,
            es: data,
            cs,
            ss: data,
            ds: data,
            io,
            ..TaskState::default()
        });
    }
}

/// Makes `pgdir` the page directory of the exceptions' tasks.
pub(in crate::arch) fn note_pgdir(pgdir: PhysAddr) {
    for task in &EXCEPTION_TASKS {
        task.set_pgdir(pgdir);
    }
}

/// Sets ESP to `top` and calls `then`, with no frame above it (EBP is 0).
///
/// # Safety
///
/// `top` is the aligned end of a mapped, writable stack that nothing else uses.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn switch(top: u64, then: extern "C" fn() -> !) -> ! {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined eip", // gdb's backtraces end here as well
        "mov eax, [esp + 12]",
        "mov esp, [esp + 4]",
        "xor ebp, ebp",
        "call eax",
        "ud2",
        ".cfi_endproc",
    )
}
