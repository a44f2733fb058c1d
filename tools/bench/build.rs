//! Compiles `c/pmap.c`, JOS's algorithms in C, with JOS's fastest option (-O2). Without a C compiler
//! the benchmark runs without them, and says so.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(has_c)");
    println!("cargo::rerun-if-changed=c/pmap.c");
    let compiled = cc::Build::new()
        .file("c/pmap.c")
        .opt_level(2)
        .debug(false)
        .flag_if_supported("-fno-strict-aliasing")
        .try_compile("pmap");
    match compiled {
        Ok(()) => println!("cargo::rustc-cfg=has_c"),
        Err(error) => println!("cargo::warning=JOS's C is left out: {error}"),
    }
}
