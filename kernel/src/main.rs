//! The default application: JOS's kernel monitor.
#![no_std]
#![no_main]

libjos::application!(kernel::monitor::monitor);

/// The programs that `run` finds without a loader's module: a tar archive.
// SAFETY: linker.ld keeps this section among the constants, for these bytes alone.
#[unsafe(link_section = ".programs")]
#[used]
static PROGRAMS: [u8; include_bytes!(env!("JOS_PROGRAMS")).len()] =
    *include_bytes!(env!("JOS_PROGRAMS"));
