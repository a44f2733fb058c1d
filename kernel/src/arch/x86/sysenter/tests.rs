//! SYSENTER is taken from programs by a register that the processors with the instruction have.

use super::*;
use crate::arch::host::pc;
use crate::arch::host::process::each_alone;

#[test]
fn sysenter_is_forbidden_where_it_is() {
    const LEFT: u64 = 8;
    // Family, model and stepping; whether the processor reports the instruction; whether the register is cleared.
    let cases = [
        ((6, 3, 3), true, true),
        ((6, 3, 3), false, false),
        // The first of the family report the instruction, and have neither it nor the register.
        ((6, 1, 1), true, false),
        ((6, 2, 2), true, false),
        ((6, 3, 2), true, true),
        ((6, 2, 3), true, true),
        ((5, 1, 1), true, true),
        ((15, 1, 1), true, true),
    ];
    let ended = each_alone(&cases, |((family, model, stepping), is_reported, is_cleared)| {
        {
            let processor = &mut pc().processor;
            let version = stepping | model << 4 | family << 8;
            processor.cpuid.insert((0, 0), [1, 0, 0, 0]);
            processor.cpuid.insert((1, 0), [version, 0, 0, u32::from(*is_reported) << 11]);
            processor.msrs.insert(SYSENTER_CS, LEFT);
        }
        forbid_sysenter();
        let wanted = if *is_cleared { 0 } else { LEFT };
        assert_eq!(pc().processor.msrs[&SYSENTER_CS], wanted, "{family} {model} {stepping}");
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}
