//! Helpers of tests on the host: they set up the kernel as far as a test needs it.

use alloc::vec;
use alloc::vec::Vec;

use boot::info::START_INFO_MAGIC;
use libjos::app::process::ExitCode;
use libjos::symtab::{Builder, SourceFrame};
use spin::Mutex;

use crate::arch::host::memory::{SYMBOLS_ROOM, map_heap};
use crate::console;
use crate::platform;
use crate::window;

/// Sets up the console, so that `println!` prints.
pub(crate) fn console() {
    platform::install();
    console::init();
}

/// The application that [`application::run`](crate::application::run) calls.
pub(crate) static APPLICATION: Mutex<fn() -> ExitCode> = Mutex::new(|| ExitCode::SUCCESS);

fn application() -> ExitCode {
    let application = *APPLICATION.lock();
    application()
}

libjos::application!(application);

/// Physical addresses of the parts of boot information that [`pvh`] writes.
pub(crate) const START_INFO: u32 = 0x5000;
pub(crate) const MEMORY_MAP: u64 = 0x6000;
pub(crate) const MODULES: u64 = 0x7000;
pub(crate) const COMMAND_LINE: u64 = 0x8000;
/// Base, length and kind of the entries of a memory map: RAM is of kind 1. 8 MB, as a PC has it.
pub(crate) const RAM: [(u64, u64, u32); 3] =
    [(0, 0x9_FC00, 1), (0xF_0000, 0x1_0000, 2), (0x10_0000, 0x70_0000, 1)];

/// Writes `bytes` to physical memory.
pub(crate) fn write(pa: u64, bytes: &[u8]) {
    for (i, byte) in bytes.iter().enumerate() {
        // SAFETY: the window's memory, in which no Rust object lies.
        unsafe { window::at::<u8>(pa + i as u64).write(*byte) };
    }
}

/// Writes boot information of the PVH protocol: entries of a memory map, modules by their starts and sizes,
/// and a command line.
pub(crate) fn pvh(memory: &[(u64, u64, u32)], modules: &[(u64, u64)], command_line: &str) {
    let words =
        |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let two = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    let rsdp = 0xF_0000;
    write(
        START_INFO.into(),
        &words(&[
            two(START_INFO_MAGIC, 1),
            two(0, modules.len() as u32),
            MODULES,
            COMMAND_LINE,
            rsdp,
            MEMORY_MAP,
            memory.len() as u64,
        ]),
    );
    let entries = memory.iter().flat_map(|(base, length, kind)| [*base, *length, u64::from(*kind)]);
    write(MEMORY_MAP, &words(&entries.collect::<Vec<_>>()));
    let modules = modules.iter().flat_map(|(start, size)| [*start, *size, 0, 0]);
    write(MODULES, &words(&modules.collect::<Vec<_>>()));
    write(COMMAND_LINE, command_line.as_bytes());
}

/// Makes the kernel report panics, and not the host.
pub(crate) fn kernel_panics() {
    std::panic::set_hook(std::boxed::Box::new(|info| {
        let location = info.location().expect("std knows it");
        let message = info.payload_as_str().unwrap_or("no text");
        crate::panic::report(location, format_args!("{message}"), None)
    }));
}

/// Boots the kernel on a PC with [`RAM`], and runs `application`.
pub(crate) fn boot(command_line: &str, application: fn() -> ExitCode) -> ! {
    map_heap();
    kernel_panics();
    pvh(&RAM, &[], command_line);
    *APPLICATION.lock() = application;
    crate::kernel_main(START_INFO_MAGIC, START_INFO)
}

/// Puts a table of symbols into the image.
///
/// # Panics
///
/// If there is no room for it.
pub(crate) fn symbols(builder: Builder) {
    unsafe extern "C" {
        static symbols_start: u8;
    }
    let bytes = builder.build().expect("a table");
    assert!(bytes.len() <= SYMBOLS_ROOM);
    for (i, byte) in bytes.iter().enumerate() {
        // SAFETY: the room for the table, in which nobody reads it yet.
        unsafe { (&raw const symbols_start).cast_mut().wrapping_add(i).write(*byte) };
    }
}

/// A source location of the function `function`, for [`symbols`].
pub(crate) fn source(function: &str, file: &str, line: u32) -> SourceFrame {
    SourceFrame { function: function.into(), file: file.into(), line }
}

/// A tar archive of one file.
pub(crate) fn archive(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..136].copy_from_slice(std::format!("{:011o}\0", bytes.len()).as_bytes());
    header[156] = b'0';
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(std::format!("{sum:06o}\0 ").as_bytes());
    header.extend(bytes);
    header.resize(header.len().next_multiple_of(512) + 1024, 0);
    header
}
