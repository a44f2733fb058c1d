//! Reads what the kernel shows to programs by JOS's numbers, spelled out here once more: `envs`, `pages` and the page
//! tables, and the results of calls as the kernel leaves them.
#![no_std]
#![no_main]

use user::inc::call;
use user::prelude::*;
use user::rough::{read, read_byte};
use user::trial::Trials;
use user::{UENVS, UPAGES, USTACKTOP, UTEXT, UVPT};

main!(main);

const WORD: usize = size_of::<usize>();
/// Words of a trap frame, and bytes of an element of `envs`.
const FRAME: usize = if WORD == 4 { 17 } else { 22 };
const ENV: usize = if WORD == 4 { 124 } else { 256 };
/// Where the fields lie: they follow the frame and `env_link`, first seven of 4 bytes, then words.
const ENV_ID: usize = (FRAME + 1) * WORD;
const PARENT_ID: usize = ENV_ID + 4;
const TYPE: usize = ENV_ID + 8;
const STATUS: usize = ENV_ID + 12;
const RUNS: usize = ENV_ID + 16;
const CPUNUM: usize = ENV_ID + 20;
const PGDIR: usize = ENV_ID + 24;
const UPCALL: usize = PGDIR + WORD;
const RECVING: usize = PGDIR + 2 * WORD;
const DSTVA: usize = PGDIR + 3 * WORD;
const VALUE: usize = PGDIR + 4 * WORD;
const FROM: usize = PGDIR + 5 * WORD;
const PERM: usize = FROM + 4;
/// Words of the frame: the result, the trap's number, its error code, and what the processor pushes, in its order.
const RESULT: usize = if WORD == 4 { 7 } else { 14 };
const TRAP: usize = if WORD == 4 { 10 } else { 15 };
const SELECTORS: [usize; 2] = if WORD == 4 { [0x1B, 0x23] } else { [0x23, 0x1B] };

fn main(_: Args) {
    let mut trials = Trials::new();
    let mut is = |what: &str, found: usize, wanted: usize| {
        trials.holds(found == wanted, format_args!("{what} is {found:#x}, not {wanted:#x}"));
    };
    let me = sys_getenvid();
    is("the first environment's id", me.0 as usize, 0x1000);
    for (what, field, wanted) in [
        ("env_id", ENV_ID, 0x1000),
        ("env_parent_id", PARENT_ID, 0),
        ("env_type", TYPE, 0),
        ("env_status", STATUS, 3),
        ("env_cpunum", CPUNUM, 0),
        ("env_pgfault_upcall", UPCALL, 0),
        ("env_ipc_recving", RECVING, 0),
    ] {
        is(what, half(0, field), wanted);
    }
    is("a page of env_pgdir", word(0, PGDIR) % PGSIZE, 0);
    is("env_pgdir is the kernel's", usize::from(word(0, PGDIR) > user::KERNBASE), 1);
    let runs = half(0, RUNS);
    is("env_runs begins at 1 or more", usize::from(runs > 0), 1);
    // SAFETY: no page fault is to come.
    unsafe { sys_env_set_pgfault_upcall(EnvId::NONE, UTEXT + 5) }.expect("the caller");
    is("env_pgfault_upcall", word(0, UPCALL), UTEXT + 5);
    // SAFETY: as above.
    unsafe { sys_env_set_pgfault_upcall(EnvId::NONE, 0) }.expect("the caller");

    // Slots and generations: the trials' first child has used slot 1 already.
    for wanted in [0x2001, 0x3001, 0x4001] {
        let child = sys_exofork(leave).expect("a child");
        is("a child's id", child.0 as usize, wanted);
        is("its env_parent_id", half(1, PARENT_ID), 0x1000);
        is("its env_status", half(1, STATUS), 4);
        is("its env_runs", half(1, RUNS), 0);
        frame(&mut is);
        sys_env_destroy(child).expect("a child");
        is("env_status of one that has ended", half(1, STATUS), 0);
        is("its env_id", half(1, ENV_ID), wanted);
    }
    for (slot, id) in [(1, 0x5001), (2, 0x1002), (3, 0x1003)] {
        let child = sys_exofork(leave).expect("a child");
        is("the id of a child in a slot", child.0 as usize, id);
        is("env_id there", half(slot, ENV_ID), id);
    }
    for id in [0x1003, 0x5001, 0x1002] {
        sys_env_destroy(EnvId(id)).expect("a child");
    }
    // The one that ended last has its slot used next.
    let child = sys_exofork(leave).expect("a child");
    is("the id in the slot that was freed last", child.0 as usize, 0x2002);
    sys_env_destroy(child).expect("a child");

    messages(&mut is);
    pages(&mut is);
    errors(&mut is);
    trials.end();
}

extern "C" fn leave(child: EnvId) -> isize {
    child.0 as isize
}

/// A word of an element of `envs`.
fn word(slot: usize, field: usize) -> usize {
    let at = UENVS + slot * ENV + field;
    let half = |n: usize| {
        // SAFETY: the kernel shows it to all programs.
        usize::try_from(unsafe { read(at + 4 * n) }).unwrap_or(0)
            << (8 * 4 * n % usize::BITS as usize)
    };
    if WORD == 4 { half(0) } else { half(0) | half(1) }
}

/// 4 bytes of an element of `envs`.
fn half(slot: usize, field: usize) -> usize {
    // SAFETY: the kernel shows it to all programs.
    unsafe { read(UENVS + slot * ENV + field) as usize }
}

/// The frame of a child in slot 1: its parent's at the call, but for the result.
fn frame(is: &mut impl FnMut(&str, usize, usize)) {
    let at = |n: usize| word(1, n * WORD);
    let selector = |n: usize| at(n) & 0xFFFF;
    is("the child's result", at(RESULT), 0);
    // On x86-64 SYSCALL, which is no trap, has the next number.
    is("its trap's number", at(TRAP) - usize::from(WORD == 8 && at(TRAP) == 49), 48);
    is("its trap's error code", at(TRAP + 1), 0);
    is(
        "its program counter is in its code",
        usize::from((UTEXT..USTACKTOP).contains(&at(TRAP + 2))),
        1,
    );
    is("its cs", selector(TRAP + 3), SELECTORS[0]);
    is("its flags: IF, and the one that is always set", at(TRAP + 4) & !0x8D5, 0x202);
    let stack = USTACKTOP - PGSIZE..USTACKTOP;
    is("its stack pointer is in its stack", usize::from(stack.contains(&at(TRAP + 5))), 1);
    is("its ss", selector(TRAP + 6), SELECTORS[1]);
    is("the frame's end", TRAP + 7, FRAME);
    if WORD == 4 {
        is("its es", selector(8), 0x23);
        is("its ds", selector(9), 0x23);
    }
}

/// The fields that a message leaves in `envs`.
fn messages(is: &mut impl FnMut(&str, usize, usize)) {
    use user::dumbfork::dumbfork;
    let Fork::Parent(child) = dumbfork().expect("dumbfork") else {
        // SAFETY: nothing lies there.
        let _ = unsafe { sys_ipc_recv(UTEMP) };
        // It stays, to be looked at.
        let _ = sys_env_set_status(EnvId::NONE, ENV_NOT_RUNNABLE);
        exit();
    };
    let slot = child.0 as usize % 1024;
    while half(slot, STATUS) != 4 {
        sys_yield();
    }
    is("env_ipc_recving of one that waits", half(slot, RECVING), 1);
    is("its env_ipc_dstva", word(slot, DSTVA), UTEMP);
    let value = usize::MAX / 0xFF * 0x5A;
    // SAFETY: the child only reads.
    let sent = unsafe { sys_ipc_try_send(child, value, USTACKTOP - PGSIZE, 5) };
    is("sending", usize::from(sent == Ok(())), 1);
    is("env_ipc_recving of one that has a message", half(slot, RECVING), 0);
    is("its env_ipc_value", word(slot, VALUE), value);
    is("its env_ipc_from", half(slot, FROM), 0x1000);
    is("its env_ipc_perm", half(slot, PERM), 5);
    is("the end of an element", (PERM + 4).next_multiple_of(WORD), ENV);
    sys_env_destroy(child).expect("a child");
}

/// The entry of a page, and the frame's count.
fn pages(is: &mut impl FnMut(&str, usize, usize)) {
    let entry = |va: usize| {
        // UVPT shows the entries in the order of pages.
        let at = UVPT + (va >> 12) * WORD;
        // SAFETY: the page is mapped, so its table is.
        unsafe { read(at) as usize }
    };
    // JOS's pp_ref: 2 bytes at offset 4 of 8.
    // SAFETY: the kernel shows it to all programs.
    let refs = |va: usize| unsafe {
        let at = UPAGES + 8 * (entry(va) >> 12) + 4;
        usize::from(read_byte(at)) | usize::from(read_byte(at + 1)) << 8
    };
    for (perm, bits) in [(5, 5), (7, 7), (0x805, 0x805), (0x405, 0x405), (0xC07, 0xC07)] {
        // SAFETY: nothing lies at UTEMP.
        unsafe { sys_page_alloc(EnvId::NONE, UTEMP, perm) }.expect("a page");
        is("an entry's lowest bits, but A and D", entry(UTEMP) & 0xF9F, bits);
        is("pp_ref of a page", refs(UTEMP), 1);
        // SAFETY: as above.
        unsafe { sys_page_map((EnvId::NONE, UTEMP), (EnvId::NONE, UTEMP + PGSIZE), 5) }
            .expect("a page");
        is("pp_ref of a page that is mapped twice", refs(UTEMP), 2);
        is("the frame of both", entry(UTEMP) >> 12, entry(UTEMP + PGSIZE) >> 12);
        // SAFETY: as above.
        unsafe { sys_page_unmap(EnvId::NONE, UTEMP + PGSIZE) }.expect("the caller");
        is("pp_ref of a page after one has gone", refs(UTEMP), 1);
        is("an entry of a page that has gone", entry(UTEMP + PGSIZE), 0);
    }
    // SAFETY: as above.
    unsafe { sys_page_unmap(EnvId::NONE, UTEMP) }.expect("the caller");
}

/// JOS's numbers of errors and of calls.
fn errors(is: &mut impl FnMut(&str, usize, usize)) {
    // SAFETY: no call changes memory that is in use.
    let call = |number: u64, arguments| unsafe { syscall(number, arguments) }.cast_unsigned();
    is("getenvid is 2", call(2, [0; 5]), 0x1000);
    is("cgetc is 1, and gives 0", call(1, [0; 5]), 0);
    is("cputs is 0, and gives 0", call(0, [UTEXT, 0, 0, 0, 0]), 0);
    is("yield is 10, and gives 0", call(10, [0; 5]), 0);
    is("page_alloc is 4", call(4, [0, UTEMP, 7, 0, 0]), 0);
    is("page_map is 5", call(5, [0, UTEMP, 0, UTEMP, 5]), 0);
    is("page_unmap is 6", call(6, [0, UTEMP, 0, 0, 0]), 0);
    is("page_unmap of nothing", call(6, [0, UTEMP, 0, 0, 0]), 0);
    is("-E_BAD_ENV of env_destroy, 3", call(3, [0x1005, 0, 0, 0, 0]), usize::MAX - 1);
    is("-E_BAD_ENV of env_set_status, 8", call(8, [0x1005, 2, 0, 0, 0]), usize::MAX - 1);
    is("env_set_status to RUNNABLE, 2", call(8, [0, 2, 0, 0, 0]), 0);
    is("env_set_pgfault_upcall is 9", call(9, [0, 0, 0, 0, 0]), 0);
    is("-E_INVAL of no call", call(13, [0; 5]), usize::MAX - 2);
    is("-E_INVAL of page_alloc", call(4, [0, UTEMP, 0, 0, 0]), usize::MAX - 2);
    is("-E_IPC_NOT_RECV of ipc_try_send, 11", call(11, [0; 5]), usize::MAX - 6);
    is("-E_INVAL of ipc_recv, 12", call(12, [1, 0, 0, 0, 0]), usize::MAX - 2);
    is("no other call has number 7", call::EXOFORK as usize, 7);
}
