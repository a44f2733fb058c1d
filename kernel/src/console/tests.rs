//! Tests of the console.

use super::*;
use crate::arch::host::pc;
use crate::arch::host::process::alone;
use crate::rig;

#[test]
fn line_ends() {
    let ended = alone(|| {
        rig::console();
        pc().serial.type_bytes(b"a\r");
        assert_eq!(read(), (b'a', Source::Serial));
        assert_eq!(read(), (b'\n', Source::Serial));
        println!("one\ntwo");
        crate::exit::exit(crate::exit::Status::Success);
    });
    ended.assert_printed(33, &["one", "two"]);
}
