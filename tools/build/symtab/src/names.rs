//! Readable names: demangled functions, and files without the build machine's folders.

use std::path::Path;

/// The demangled name of a function or a variable, without the compiler's hash and suffixes. An
/// inherent `impl` in another module than its type is shown as the type: `a::<impl b::Type<M>>::f` is
/// `a::Type::f`.
pub(crate) fn function_name(raw: &str) -> String {
    let raw = raw.split(".llvm.").next().unwrap_or(raw);
    let name = format!("{:#}", rustc_demangle::demangle(raw));
    let Some((before, (of, after))) = name
        .split_once("<impl ")
        .and_then(|(before, rest)| Some((before, rest.split_once(">::")?)))
    else {
        return name;
    };
    let of = of.split('<').next().unwrap_or(of);
    match of.rsplit("::").next() {
        Some(of) if !of.contains([' ', '[', '&', '(']) && !before.starts_with('<') => {
            format!("{before}{of}::{after}")
        }
        _ => name,
    }
}

/// The last part of a function's demangled path, without generic arguments.
pub(crate) fn own_name(path: &str) -> String {
    // The arrow in a function's type is not a closing bracket.
    let mut path = path.replace("->", "");
    while let Some(end) = path.find('>')
        && let Some(start) = path[..end].rfind('<')
    {
        path.replace_range(start..=end, "");
    }
    path.trim_end_matches("::").rsplit("::").next().unwrap_or_default().into()
}

/// Whether a source file is one of Rust's own library.
pub(crate) fn is_in_library(file: &str) -> bool {
    let rust = |folder: &str| folder.contains("/rustc/") || folder.contains("/rust/");
    file.rsplit_once("/library/").is_some_and(|(folder, _)| rust(&format!("{folder}/")))
}

/// The shortened path of a source file: relative to the project's `root`; for other crates, from the
/// crate's name on; for Rust's own library, from `core/` or `alloc/` on.
pub(crate) fn file_name(file: &str, root: &Path) -> String {
    if let Ok(inside) = Path::new(file).strip_prefix(root)
        && !inside.starts_with("target")
    {
        return inside.display().to_string();
    }
    // cargo keeps the crates of a registry in registry/src/REGISTRY/CRATE-VERSION/.
    let registry = file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/'));
    let library = file.rsplit_once("/library/").map(|(_, rest)| rest);
    let outside = registry.map(|(_, rest)| rest).or(library);
    outside.unwrap_or(file.rsplit('/').next().unwrap_or(file)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_manglings_are_undone() {
        for (raw, name) in [
            ("_ZN6kernel5traps4trap17h78ddf34cf79c18cfE", "kernel::traps::trap"),
            ("_ZN6kernel7monitor4exit17hb7100ab4d1db628cE.llvm.15693968", "kernel::monitor::exit"),
            (
                "_RNvNtNtCsg3SjgaGcPXb_4core5slice5index16slice_index_fail",
                "core::slice::index::slice_index_fail",
            ),
            ("kernel_main", "kernel_main"),
            (
                "_ZN6libjos10check_page45_$LT$impl$u20$libjos..pmap..Pmap$LT$M$GT$$GT$\
                 23check_insert_and_remove17haea5dd14b347da25E",
                "libjos::check_page::Pmap::check_insert_and_remove",
            ),
            (
                "_ZN66_$LT$core..option..Option$LT$T$GT$$u20$as$u20$core..fmt..Debug$GT$3fmt17h89459f6fa38ddc0dE",
                "<core::option::Option<T> as core::fmt::Debug>::fmt",
            ),
        ] {
            assert_eq!(function_name(raw), name);
        }
    }

    #[test]
    fn own_names_are_whole() {
        for (path, name) in [
            ("libjos::pmap::Pmap<M>::mem_init", "mem_init"),
            ("<libjos::pmap::Pmap<kernel::Hardware>>::mem_init::<kernel::Hardware>", "mem_init"),
            ("a::check_page::<fn(&str) -> usize, Option<u8>>", "check_page"),
            ("a::mem_init::{{closure}}", "{{closure}}"),
            ("a::mem_init::{closure#0}::<u8>", "{closure#0}"),
            ("<a as b::page>::go", "go"),
            ("a::not_page", "not_page"),
            ("kernel_main", "kernel_main"),
        ] {
            assert_eq!(own_name(path), name);
        }
    }

    #[test]
    fn files_say_nothing_of_the_machine() {
        for (file, name) in [
            ("/home/ann/jos64/kernel/src/lib.rs", "kernel/src/lib.rs"),
            (
                "/home/ann/.cargo/registry/src/index-123/spin-0.12.0/src/once.rs",
                "spin-0.12.0/src/once.rs",
            ),
            ("/rustc/0123456/library/core/src/option.rs", "core/src/option.rs"),
            ("/usr/lib/rustlib/src/rust/library/alloc/src/vec/mod.rs", "alloc/src/vec/mod.rs"),
            ("/home/bob/other/lib.rs", "lib.rs"),
            ("plain.rs", "plain.rs"),
        ] {
            assert_eq!(file_name(file, Path::new("/home/ann/jos64")), name);
            let in_library = name.starts_with("core/") || name.starts_with("alloc/");
            assert_eq!(is_in_library(file), in_library, "{file}");
        }
        assert!(!is_in_library("/home/ann/library/src/lib.rs"));
    }
}
