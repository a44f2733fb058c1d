//! The set-up of the PLIC (RISC-V PLIC specification 1.0.0). `interrupts` handles its interrupts.

use boot::riscv64::devices::{Device, uart_source};

use super::address::registers;
use super::probe::store_narrow;

/// Words of the PLIC's bits of sources, and bits of a word.
const ENABLES: usize = 32;
const BITS: u32 = 32;

/// Makes the PLIC pass on the UART's interrupts to the hart, and no others. Returns false if the device tree names no
/// PLIC, or no device answers there. A device that answers need not be one, since the tree may be wrong.
pub(super) fn set_up() -> bool {
    let [priority, enables, threshold] =
        [Device::Priority, Device::Enables, Device::Context].map(registers::<u32>);
    let (Some(priority), Some(enables), Some(threshold)) = (priority, enables, threshold) else {
        return false;
    };
    let none = (0..ENABLES).map(|word| (enables.wrapping_add(word), 0));
    let own = enables.wrapping_add((uart_source() / BITS) as usize);
    let one = [(own, 1 << (uart_source() % BITS)), (priority, 1), (threshold, 0)];
    // SAFETY: the addresses are the device's alone. Whatever is there does not access memory.
    none.chain(one).all(|(at, value)| unsafe { store_narrow(at, value) }.is_ok())
}
