//! An independent parser reads the header.

use super::*;
use multiboot2_header::{ConsoleHeaderTagFlags, HeaderTagFlag, HeaderTagISA, MbiTagType};

/// An independent parser accepts the header and finds the tags that this file puts into it.
#[test]
fn a_loader_understands_the_header() {
    // SAFETY: the static is as long as its length field says, and never changes.
    let header = unsafe { multiboot2_header::Header::load((&raw const multiboot2_header).cast()) }
        .expect("the header is valid");
    assert_eq!(header.arch(), HeaderTagISA::I386);
    assert_eq!(header.verify_checksum(), Ok(()));
    let requests = header.information_request_tag().expect("an information request");
    assert!(requests.requests().eq([MbiTagType::Mmap]));
    assert_eq!(requests.flags(), HeaderTagFlag::Required);
    let console = header.console_flags_tag().expect("console flags");
    assert_eq!(console.console_flags(), ConsoleHeaderTagFlags::EgaTextSupported);
    assert_eq!(console.flags(), HeaderTagFlag::Optional, "UEFI machines have no text mode");
    let module_align = header.module_align_tag().expect("modules on pages of their own");
    assert_eq!(module_align.flags(), HeaderTagFlag::Required);
    assert_eq!(header.iter().count(), 4, "the end tag is the fourth");
}
