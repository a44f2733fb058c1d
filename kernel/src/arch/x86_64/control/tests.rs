//! Each control register under its own name.

use super::*;
use crate::arch::host::pc;
use crate::arch::host::process::alone;

#[test]
fn registers_under_their_names() {
    alone(|| {
        {
            let control = &mut pc().processor.control;
            (control.cr0, control.cr2, control.cr3) = (1, 0x2000, 0x3000);
            (control.cr4, control.cr8, control.efer) = (0x20, 8, 0x100);
        }
        let names = read().0.map(|(register, value)| (register.name, value));
        assert_eq!(
            names,
            [
                ("CR0", 1),
                ("CR2", 0x2000),
                ("CR3", 0x3000),
                ("CR4", 0x20),
                ("CR8", 8),
                ("EFER", 0x100)
            ]
        );
    });
}
