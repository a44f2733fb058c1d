//! The commands about environments, and those that look at one.

use super::*;
use libjos::env::abi::{self, EnvId, call};
use libjos::env::{Cause, EnvConsole, EnvIndex, Trap};
use libjos::paging::format::Entry;
use libjos::paging::mappings::steps;
use libjos::paging::word::Word;

/// No console.
struct Nowhere;

impl EnvConsole for Nowhere {
    fn write(&mut self, _: &[u8]) {}

    fn cgetc(&mut self) -> Option<u8> {
        None
    }
}

/// Permissions in calls.
const UR: u64 = abi::PTE_P | abi::PTE_U;
const URW: u64 = UR | abi::PTE_W;

impl<L: MemLayout, F: Format + Mmu> Monitor<L, F> {
    /// With so many environments, called `first`, `second` and so on.
    pub(super) fn with(n: usize) -> Self {
        let mut monitor = monitor::<L, F>();
        let mut envs = Envs::env_init(&mut monitor.pmap).unwrap();
        for name in ["first", "second", "third"].into_iter().take(n) {
            let index = envs.env_alloc(&mut monitor.pmap, EnvId::NONE).unwrap();
            envs.set_name(index, name);
        }
        monitor.envs = Some(envs);
        monitor
    }

    /// A call of the environment at `index`. The monitor comes back after it.
    fn call(&mut self, index: usize, number: u64, arguments: &[u64]) {
        let (envs, index) = (self.envs.as_mut().unwrap(), EnvIndex::new(index));
        let _ = envs.env_run(&mut self.pmap, index);
        let mut frame = envs.env(index).env_tf;
        for (register, value) in frame.registers.iter_mut().zip([number].iter().chain(arguments)) {
            *register = Word::from_u64(*value);
        }
        envs.set_frame(index, frame);
        let trap = Trap { cause: Cause::Syscall, incoming: VirtAddr::new(0) };
        let _ = envs.trap_dispatch(&mut self.pmap, &mut Nowhere, trap);
        self.pmap.switchkvm();
    }

    /// The frame of a page of the environment at `index`, as it is typed.
    fn frame_of(&self, index: usize, va: u64) -> String {
        let root = self.envs.as_ref().unwrap().root(EnvIndex::new(index)).unwrap();
        let walk = steps::<F, _>(self.pmap.machine(), root, VirtAddr::new(va)).last().unwrap();
        let Entry::Leaf(leaf) = walk.entry else { panic!("{va:#x} is not mapped") };
        leaf.pa.to_string()
    }
}

#[test]
fn a_table_of_environments() {
    assert_eq!(monitor64().run("envs"), "there are no environments\n");
    let mut monitor = Monitor::<Jos64, X86_64>::with(0);
    assert_eq!(monitor.run("envs"), "there are no environments\n");
    let mut monitor = Monitor::<Jos64, X86_64>::with(3);
    monitor.call(0, call::PAGE_ALLOC, &[0, 0x80_0000, URW]);
    monitor.call(0, call::PAGE_ALLOC, &[0, 0x4000_0000, UR]);
    monitor.call(0, call::EXOFORK, &[]);
    monitor.call(1, call::IPC_RECV, &[u64::MAX]);
    monitor.call(2, call::GETENVID, &[]);
    assert_eq!(
        monitor.run("envs"),
        "ID       PARENT   STATUS        RUNS PAGES PROGRAM          AT\n\
         00001000 00000000 RUNNABLE         1     2 first            0x0\n\
         00001001 00000000 NOT_RUNNABLE     1     0 second           0x0 recv\n\
         00001002 00000000 RUNNING          1     0 third            0x0\n\
         00001003 00001000 NOT_RUNNABLE     0     0 first            0x0\n"
    );
    assert_eq!(monitor.error("envs 1"), "\"1\" is one word too many");
}

/// The widest line has as many columns as the screen: a name, an address and numbers that are as long as they
/// can be.
#[test]
fn the_widest_line() {
    let mut monitor = Monitor::<Jos64, X86_64>::with(1);
    monitor.call(0, call::IPC_RECV, &[u64::MAX]);
    let (envs, index) = (monitor.envs.as_mut().unwrap(), EnvIndex::new(0));
    let mut frame = envs.env(index).env_tf;
    frame.pc = 0x7FFF_FFFF_E123;
    envs.set_frame(index, frame);
    envs.set_name(index, "sixteen letters and more");
    let uenvs = VirtAddr::new(Jos64::UENVS);
    let env = monitor.pmap.va2pa(monitor.pmap.kern_pgdir(), uenvs).unwrap();
    let runs = core::mem::offset_of!(abi::Env<SimFrame<X86_64>, u64>, env_runs) as u64;
    for (number, shown) in
        [(99_999, "99999"), (100_000, " 100K"), (9_999_999, "9999K"), (u32::MAX, "4294M")]
    {
        monitor.pmap.machine().store(env + runs, number);
        let line = monitor.run("envs").lines().last().unwrap().to_string();
        let end = "PAGES sixteen letters  0x7fffffffe123 recv".replace("PAGES", "    0");
        assert_eq!(line, std::format!("00001000 00000000 NOT_RUNNABLE {shown} {end}"));
    }
}

/// The last bytes of a name that is too long are left out, and no half of a character is kept.
#[test]
fn names() {
    use libjos::env::record::Name;
    for (name, kept) in [
        ("", ""),
        ("hello", "hello"),
        ("exactly sixteen!", "exactly sixteen!"),
        ("exactly sixteen!!", "exactly sixteen!"),
        ("fifteen letter\u{e9}s", "fifteen letter\u{e9}"),
        ("fifteen letters\u{e9}", "fifteen letters"),
    ] {
        assert_eq!(std::format!("{:<16}|", Name::from(name)), std::format!("{kept:<16}|"));
    }
}

#[test]
fn ids() {
    let mut monitor = Monitor::<Jos64, X86_64>::with(2);
    for line in ["env 00001001", "env 0x1001", "env 1001", "vmprint 1001", "vmprint -e 1001"] {
        monitor.run(line);
    }
    for word in ["zz", "0x", "-1", "+1001", "1_001", "0x10000000000001001", "0X1001"] {
        let error = std::format!("\"{word}\" is not the id of an environment, such as 00001000");
        assert_eq!(monitor.error(&std::format!("env {word}")), error);
    }
    for (word, id) in
        [("0", "00000000"), ("1002", "00001002"), ("1401", "00001401"), ("2001", "00002001")]
    {
        let error = std::format!("there is no environment {id}; `envs` lists them");
        assert_eq!(monitor.error(&std::format!("kill {word}")), error);
    }
    assert_eq!(
        monitor.error("env ffffffff"),
        "there is no environment ffffffff; `envs` lists them"
    );
    monitor.run("kill 1001");
    for line in ["kill 1001", "env 1001", "map 1001", "translate -e 1001 0"] {
        assert_eq!(monitor.error(line), "environment 00001001 has ended");
    }
    let index = monitor.envs.as_mut().unwrap().env_alloc(&mut monitor.pmap, EnvId::NONE).unwrap();
    assert_eq!(index.number(), 1);
    assert_eq!(monitor.error("kill 1001"), "environment 00001001 has ended");
    monitor.run("kill 2001");
    for line in ["env", "kill", "showmappings -e 1000"] {
        assert_eq!(monitor.error(line), "something is missing");
    }
    // The option without an id is an error of the words, of which the monitor shows the usage.
    for line in ["dump -e", "dump 0 -e", "map -e", "translate 0 -e"] {
        assert_eq!(monitor.error(line), monitor.error("env -e"), "{line}");
    }
    assert_eq!(monitor.error("dump -e x 0"), monitor.error("env x"));
    // There is one id.
    for line in ["map -e 1000 1001", "vmprint 1001 -e 1000"] {
        assert_eq!(monitor.error(line), "\"1001\" is one word too many");
    }
    for line in ["dump -e 1000 -e 1000 0", "translate 0 -e 1000 -e 1000"] {
        assert!(monitor.error(line).ends_with("is one word too many"), "{line}");
    }
    // An address is a physical one or an environment's.
    for line in ["dump -p -e 1000 0", "dump -e 1000 0 -p"] {
        assert_eq!(monitor.error(line), "\"1000\" is one word too many");
    }
    assert_eq!(
        monitor64().error("env 1000"),
        "there is no environment 00001000; `envs` lists them"
    );
}

/// All memory comes back, whoever ran last, with JOS's lines.
#[test]
fn killing() {
    let mut monitor = Monitor::<Jos32, I386>::with(2);
    // The first environment makes tables that stay.
    let kept = monitor.pmap.pages().nfree();
    for index in [0, 1] {
        monitor.call(index, call::PAGE_ALLOC, &[0, 0x80_0000, URW]);
    }
    monitor.pmap.machine_mut().log.clear();
    assert_eq!(monitor.envs.as_ref().unwrap().stopped(), Some(EnvIndex::new(1)));
    assert_eq!(monitor.run("kill 1000"), "");
    assert_eq!(
        monitor.pmap.machine().log,
        "[00000000] destroying 00001000\n[00000000] free env 00001000\n"
    );
    assert_eq!(monitor.envs.as_ref().unwrap().stopped(), Some(EnvIndex::new(1)), "it goes on");
    monitor.run("kill 1001");
    let envs = monitor.envs.as_ref().unwrap();
    assert_eq!((envs.stopped(), envs.can_run()), (None, false));
    // Their roots, too.
    assert_eq!(monitor.pmap.pages().nfree(), kept + 2);
    // On i386 a check maps a page where nothing but the table is that these have shared.
    monitor.run("checks");
    monitor.run("checks");
}

#[test]
fn one_environment() {
    let mut monitor = Monitor::<Jos64, X86_64>::with(2);
    assert_eq!(
        monitor.run("env 1000"),
        std::format!(
            "environment 00001000 (first), started by the kernel\n  \
             RUNNABLE, switched to 0 times\n  \
             goes on at 0x0; a page fault ends it\n\
             Registers:\n  pc   0x00000000\n\
             Pages:\n  0 in all, and 1 page tables; the root is at {}\n\
             Frames with other uses (pp_ref above 1):\n  none\n",
            monitor.envs.as_ref().unwrap().root(EnvIndex::new(0)).unwrap()
        )
    );
    monitor.call(0, call::PAGE_ALLOC, &[0, 0x80_0000, URW]);
    monitor.call(0, call::ENV_SET_PGFAULT_UPCALL, &[0, 0x80_0123]);
    monitor.call(0, call::EXOFORK, &[]);
    monitor.call(0, call::IPC_RECV, &[u64::MAX]);
    let (out, pa) = (monitor.run("env 1000"), monitor.frame_of(0, 0x80_0000));
    for line in [
        "  NOT_RUNNABLE, switched to 1 time, waits for a message\n",
        "  goes on at 0x0; a page fault is handed to 0x800123\n",
        &std::format!(
            "  0x0000000000800000-0x0000000000800fff -> {:#011x} urw-- 4 KB 4K\n",
            u64::from_str_radix(&pa[2..], 16).unwrap()
        ),
        "  1 in all, and 4 page tables; the root is at ",
    ] {
        assert!(out.contains(line), "{line}: {out}");
    }
    let out = monitor.run("env 1002");
    assert!(out.starts_with("environment 00001002 (first), child of 00001000\n"), "{out}");
}

/// Nothing above UTOP is an environment's, neither pages nor tables; on i386 the environments themselves begin there.
#[test]
fn the_kernels_half_is_no_environments() {
    fn look<L: MemLayout, F: Format + Mmu>() {
        let mut monitor = Monitor::<L, F>::with(1);
        let uenvs = VirtAddr::new(L::UENVS);
        let envs = monitor.pmap.va2pa(monitor.pmap.kern_pgdir(), uenvs).unwrap();
        assert!(monitor.run("envs").contains(" RUNNABLE         0     0 first "));
        let out = monitor.run("env 1000");
        let (_, pages) = out.split_once("\nPages:\n").unwrap();
        assert!(pages.starts_with("  0 in all, and 1 page tables; "), "{out}");
        let out = monitor.run(&std::format!("pages {envs}"));
        assert!(!out.contains("environment 0") && out.contains("  2 in all, "), "{out}");
    }
    look::<Jos64, X86_64>();
    look::<Jos32, I386>();
    look::<JosSv39, Sv39>();
}

/// Pages side by side with the same sharers make a run; every other page that leads to a frame is named.
#[test]
fn sharers() {
    let mut monitor = Monitor::<Jos64, X86_64>::with(2);
    monitor.call(0, call::EXOFORK, &[]);
    for page in 0..4 {
        let va = 0x80_0000 + page * PGSIZE;
        monitor.call(0, call::PAGE_ALLOC, &[0, va, URW]);
    }
    // Two pages at the same addresses, one elsewhere, and twice in itself.
    for (from, to, env) in [
        (0x80_0000, 0x80_0000, 0x1002),
        (0x80_1000, 0x80_1000, 0x1002),
        (0x80_2000, 0x4000_0000, 0x1002),
        (0x80_2000, 0x4000_1000, 0),
    ] {
        monitor.call(0, call::PAGE_MAP, &[0, from, env, to, UR]);
    }
    let held = monitor.frame_of(0, 0x80_3000);
    let insert = std::format!("insert -f UTEMP {held}");
    monitor.run(&insert);
    let out = monitor.run("env 1000");
    let (_, shared) = out.split_once("(pp_ref above 1):\n").unwrap();
    assert_eq!(
        shared,
        "  0x0000000000800000-0x0000000000801fff pp_ref 2\n    00001002 at the same address\n  \
         0x0000000000802000-0x0000000000802fff pp_ref 3\n    00001000 at 0x0000000040001000\n    \
         00001002 at 0x0000000040000000\n  \
         0x0000000000803000-0x0000000000803fff pp_ref 2\n    kernel   at 0x0000000000400000\n  \
         0x0000000040001000-0x0000000040001fff pp_ref 3\n    00001000 at 0x0000000000802000\n    \
         00001002 at 0x0000000040000000\n"
    );
    let out = monitor.run(&std::format!("pages {held}"));
    assert!(
        out.contains("  0x0000000000400000 -r--- in a 4 KB page, \"temporary mappings\"\n"),
        "{out}"
    );
    assert!(
        out.contains("  0x0000000000803000 urw-- in a 4 KB page, environment 00001000\n"),
        "{out}"
    );
    assert!(out.contains("  3 in all"), "{out}");
    monitor.run("remove UTEMP");
    // There are more sharers than are named, and a use that no page shows.
    for page in 0..5 {
        assert!(!monitor.run("env 1000").contains("more pages"), "{page} other pages are named");
        let to = 0x5000_0000 + 2 * page * PGSIZE;
        monitor.call(0, call::PAGE_MAP, &[0, 0x80_3000, 0, to, UR]);
    }
    let pages = monitor.pmap.pages();
    let frame = pages.pa2page(PhysAddr::new(u64::from_str_radix(&held[2..], 16).unwrap())).unwrap();
    monitor.pmap.pages_mut().page_incref(frame).unwrap();
    let out = monitor.run("env 1000");
    let (_, page) = out.split_once("  0x0000000000803000-0x0000000000803fff pp_ref 7\n").unwrap();
    assert!(
        page.starts_with(
            "    00001000 at 0x0000000050000000\n    00001000 at 0x0000000050002000\n    \
             00001000 at 0x0000000050004000\n    00001000 at 0x0000000050006000\n    \
             and 1 more pages\n    1 by no page (as those that `alloc` gave out)\n"
        ),
        "{page}"
    );
    // Seen from the other side, it is the same by other addresses.
    let out = monitor.run("env 1002");
    assert!(
        out.contains("0x0000000040000fff pp_ref 3\n    00001000 at 0x0000000000802000\n"),
        "{out}"
    );
}

/// With an id, commands look at the environment's directory, and at the kernel's again after that.
#[test]
fn looking_at_one() {
    fn look<L: MemLayout, F: Format + Mmu>() {
        let mut monitor = Monitor::<L, F>::with(2);
        monitor.call(0, call::PAGE_ALLOC, &[0, 0x80_0000, URW]);
        let pa = monitor.frame_of(0, 0x80_0000);
        let store = PhysAddr::new(u64::from_str_radix(&pa[2..], 16).unwrap());
        monitor.pmap.machine().store(store, 0x6F6C_6C65_u32);
        for (line, is_here) in [
            ("showmappings -e 1000 0x800000", "-> 0x"),
            ("translate -e 1000 0x800000", "4 KB page at"),
            ("dump -e 1000 0x800000 4", "656c 6c6f"),
            ("map -e 1000", "urw"),
            ("map 1000", "urw"),
            ("vmprint 1000", "00800000: pte"),
        ] {
            assert!(monitor.run(line).contains(is_here), "{line}: {}", monitor.run(line));
            let other = line.replace("1000", "1001");
            assert!(!monitor.run(&other).contains(is_here), "{other}: {}", monitor.run(&other));
            let kernels = line.replace("-e 1000 ", "").replace(" -e 1000", "").replace(" 1000", "");
            let (kernels, here) = (monitor.run(&kernels), monitor.run(line));
            assert_ne!(kernels, here, "{line}");
        }
        // Above UTOP there is nothing of its own.
        let out = monitor.run("vmprint 1000");
        assert_eq!(out.lines().count(), 1 + F::LEVELS as usize, "{out}");
        let table = monitor.envs.as_ref().unwrap().root(EnvIndex::new(0)).unwrap();
        let out = monitor.run(&std::format!("pages {table}"));
        let level = F::LEVELS - 1;
        let line = std::format!("  is a page table of level {level}, environment 00001000\n");
        assert!(out.contains(&line), "{out}");
    }
    look::<Jos64, X86_64>();
    look::<Jos32, I386>();
    look::<JosSv39, Sv39>();
}
