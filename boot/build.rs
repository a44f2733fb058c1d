//! Sets `cfg(device_tree)` where a loader may pass one: on RISC-V, and on hosts, whose tests read all formats. A PC's
//! kernel leaves the parser out, which takes 12 KB.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(device_tree)");
    let is_host = env::var_os("CARGO_CFG_JOS_MACHINE").is_none();
    if is_host || env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("riscv64") {
        println!("cargo::rustc-cfg=device_tree");
    }
}
