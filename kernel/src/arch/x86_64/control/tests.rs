//! Each control register under its own name.

use alloc::string::ToString;

use super::*;

const REGISTERS: ControlRegisters =
    ControlRegisters { cr0: 1, cr2: 0x2000, cr3: 0x3000, cr4: 0x20, cr8: 8, efer: 0x100 };

#[test]
fn registers_under_their_names() {
    let names = REGISTERS.all().map(|(register, value)| (register.name, value));
    assert_eq!(
        names,
        [("CR0", 1), ("CR2", 0x2000), ("CR3", 0x3000), ("CR4", 0x20), ("CR8", 8), ("EFER", 0x100)]
    );
    assert_eq!(
        REGISTERS.to_string(),
        "  CR0    0000000000000001  PE\n  CR2    0000000000002000  VA=0x2000\n  \
         CR3    0000000000003000  PFN=0x3\n  CR4    0000000000000020  PAE\n  \
         CR8    0000000000000008  TPR=0x8\n  EFER   0000000000000100  LME"
    );
}
