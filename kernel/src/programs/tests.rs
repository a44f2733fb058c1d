//! Programs in several modules: every module is looked at, in order, and has its number.

use boot::info::START_INFO_MAGIC;
use libjos::app::process::ExitCode;

use super::*;
use crate::arch::host::memory::map_heap;
use crate::arch::host::process::{alone, each_alone};
use crate::rig;

/// Where the loader has put the first module; the others follow at this distance.
const MODULES: u64 = 0x40_0000;
const DISTANCE: u64 = 0x1_0000;

/// Prints what there is, and the bytes of three programs.
fn look() -> ExitCode {
    for (origin, files) in all() {
        let kind = match files {
            Files::Program(_) => "a program",
            Files::Archive(_) => "an archive",
            Files::Nothing(_) => "nothing",
        };
        println!("{origin:?}: {kind}");
    }
    for_each_name(&mut |name| println!("{name}"));
    for name in ["guest", "other", "none"] {
        println!("{name}: {:?}", find(name).map(core::str::from_utf8));
    }
    ExitCode::SUCCESS
}

#[test]
fn every_module_is_looked_at() {
    let ended = alone(|| {
        map_heap();
        rig::kernel_panics();
        let other = rig::archive("other", b"second");
        let modules = [&[0; 100][..], &rig::archive("guest", b"first"), &other, &other];
        let mut places = [(0, 0); 4];
        for (i, module) in modules.iter().enumerate() {
            places[i] = (MODULES + i as u64 * DISTANCE, module.len() as u64);
            rig::write(places[i].0, module);
        }
        rig::pvh(&rig::RAM, &places, "");
        *rig::APPLICATION.lock() = look;
        crate::kernel_main(START_INFO_MAGIC, rig::START_INFO)
    });
    let none = "a boot module is neither a program nor an archive: this is no tar archive, or a damaged one: \
                archive length is not a multiple of 512 bytes";
    let (guest, other) = ("guest: Some(Ok(\"first\"))", "other: Some(Ok(\"second\"))");
    ended.assert_tail(
        33,
        &[
            "Module(1): nothing",
            "Module(2): an archive",
            "Module(3): an archive",
            "Module(4): an archive",
            "Image: nothing",
            "guest",
            "other",
            "other",
            none,
            guest,
            none,
            other,
            none,
            "none: None",
        ],
    );
}

/// Memory that no window shows holds no programs: where no RAM is, and RAM beyond the limit of the command line. Nor does
/// the kernel's own, or the screen's.
#[test]
fn modules_where_none_can_be() {
    let mut with_more = [(0x1000_0000, 0x8000_0000, 1); 4];
    with_more[..3].copy_from_slice(&rig::RAM);
    let image = symbols::kernel_image();
    let cases = [
        (&rig::RAM[..], 0x4000_0000, ""),
        (&with_more, 0x4000_0000, "mem=64M"),
        (&rig::RAM, image.text.start.as_u64(), ""),
        (&rig::RAM, image.data.end_exclusive.as_u64() - 1, ""),
        (&rig::RAM, 0xB_8000, ""),
    ];
    let ended = each_alone(&cases, |(ram, at, words)| {
        map_heap();
        rig::kernel_panics();
        rig::pvh(ram, &[(*at, 0x800)], words);
        *rig::APPLICATION.lock() = look;
        crate::kernel_main(START_INFO_MAGIC, rig::START_INFO)
    });
    let nothing = "a boot module is neither a program nor an archive: this is no tar archive, or a damaged one: archive \
                   contains no data";
    for ended in &ended {
        let tail = [nothing, "guest: None", nothing, "other: None", nothing, "none: None"];
        assert!(ended.printed.contains("Module(1): nothing"), "{}", ended.printed);
        ended.assert_tail(33, &tail);
    }
}
