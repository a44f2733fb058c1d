//! Plain names for the functions that JOS's users know.
//!
//! libjos is generic over the machine, so the debugger knows `mem_init` only under a name such as
//! `libjos::pmap::Pmap<kernel::machine::Hardware>::mem_init<kernel::machine::Hardware>`, and gdb does not take
//! `b mem_init` for it. Each such function gets a second symbol, of the plain name, at its first
//! instruction, from where gdb finds the source lines as for any other function.

use std::collections::BTreeMap;

use crate::names::own_name;

/// The names about environments, which an application leaves out, and a machine that does not run them yet. (It has
/// some of them all the same.)
macro_rules! of_environments {
    () => {
        "trap_dispatch env_pop_tf env_init env_alloc env_setup_vm env_create load_icode region_alloc env_run env_destroy env_free
        envid2env sched_yield syscall page_fault_handler user_mem_check"
    };
}

/// The names that gdb's users rely on. `JOS=ours` adds JOS's name to a function that has a
/// machine-independent name here.
pub(crate) const NAMES: &str = concat!(
    "mem_init boot_alloc page_init page_alloc page_free page_decref
    pgdir_walk boot_map_region page_insert page_lookup page_remove tlb_invalidate
    check_page_free_list check_page_alloc check_page check_kern_pgdir check_page_installed_pgdir
    kernel_main detect_memory i386_init=kernel_main i386_detect_memory=detect_memory
    trap readline kerninfo backtrace ",
    of_environments!()
);
/// The parts of a kernel that an application may be without: it has none of a row's names if it has not the first.
const OPTIONAL: [&str; 2] = ["monitor readline kerninfo backtrace", of_environments!()];

/// The plain names to add, and those that no function has.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Plan<'a> {
    /// Each name with its address and path. A function that was compiled several times (for several
    /// machines, say) gets its name at each place, in order of address: gdb then stops at all of them.
    pub(crate) added: Vec<(&'a str, u64, &'a str)>,
    /// The names that no function has: it was renamed, or inlined into its callers.
    pub(crate) missing: Vec<&'a str>,
}

impl<'a> Plan<'a> {
    /// The plan for `names`, separated by spaces, in a kernel with these `functions`.
    pub(crate) fn new(names: &'a str, functions: &'a [(u64, String)]) -> Self {
        let mut places = BTreeMap::<_, BTreeMap<u64, &str>>::new();
        for (address, path) in functions {
            places.entry(own_name(path)).or_default().insert(*address, path);
        }
        let mut plan = Self::default();
        for name in names.split_whitespace() {
            let (name, function) = name.split_once('=').unwrap_or((name, name));
            match places.get(function) {
                // The function has its plain name already.
                Some(found) if found.values().any(|path| *path == name) => {}
                Some(found) => plan.added.extend(found.iter().map(|(at, path)| (name, *at, *path))),
                None if is_left_out(name, |function| places.contains_key(function)) => {}
                None => plan.missing.push(name),
            }
        }
        plan
    }
}

/// Whether an image without `name` has left out a part that is optional.
fn is_left_out(name: &str, has: impl Fn(&str) -> bool) -> bool {
    OPTIONAL.iter().any(|part| {
        let mut names = part.split_whitespace();
        names.clone().any(|optional| optional == name) && !names.next().is_some_and(&has)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: [&str; 6] = [
        "kernel_main",
        "libjos::pmap::Pmap<M>::mem_init",
        "<libjos::pmap::Pmap<kernel::Hardware>>::page_insert",
        "libjos::pmap::Pmap<M>::mem_init",
        "libjos::check::check_page::<kernel::Hardware, fn(&str) -> usize>",
        "libjos::check::check_page::{{closure}}",
    ];

    /// The plan for `names`, with the functions of [`KERNEL`] and `more` at 16 bytes each: the added names
    /// with their addresses, and the missing names.
    fn planned(names: &str, more: &[&str]) -> (String, String) {
        let paths = KERNEL.iter().chain(more).enumerate();
        let functions: Vec<_> = paths.map(|(nr, path)| (16 * nr as u64, (*path).into())).collect();
        let Plan { added, missing } = Plan::new(names, &functions);
        let added: Vec<_> =
            added.iter().map(|(name, address, _)| format!("{name} {address}")).collect();
        (added.join(", "), missing.join(", "))
    }

    #[test]
    fn every_copy_of_a_function_gets_its_name() {
        assert_eq!(planned("mem_init", &[]).0, "mem_init 16, mem_init 48");
        assert_eq!(planned("page_insert check_page", &[]).0, "page_insert 32, check_page 64");
    }

    #[test]
    fn plain_names_are_left_alone() {
        assert_eq!(planned("kernel_main", &["other::kernel_main"]), (String::new(), String::new()));
    }

    #[test]
    fn a_function_may_have_two_names() {
        assert_eq!(planned("i386_init=kernel_main pi=page_insert", &[]).0, "i386_init 0, pi 32");
        assert_eq!(planned("nobody=no_function", &[]).1, "nobody");
    }

    #[test]
    fn what_is_missing_is_named() {
        let names = "page_alloc mem_init page_free readline";
        assert_eq!(planned(names, &[]).1, "page_alloc, page_free");
        assert_eq!(
            planned(names, &["kernel::monitor::monitor"]).1,
            "page_alloc, page_free, readline"
        );
        let names = "mem_init env_init env_run";
        assert_eq!(planned(names, &["libjos::env::table::Envs<F>::env_init"]).1, "");
        assert_eq!(
            planned(names, &["libjos::env::table::Envs<F>::trap_dispatch"]).1,
            "env_init, env_run"
        );
    }
}
