//! [`Wire`]: how a device interrupts a hart (Devicetree specification 0.4, 2.4; RISC-V PLIC specification 1.0.0).

use dtoolkit::Node;
use libjos::mem::addr::PhysAddr;

use super::{DeviceTree, follows, number, property, word};

/// The number of a hart's own input for interrupts in supervisor mode from devices: the cause's (RISC-V privileged
/// specification, table 23).
const SUPERVISOR_EXTERNAL: u64 = 9;

// The PLIC's registers ("Memory Map"): a priority for each source; for each context, which is a hart in one of its
// modes, a bit for each source, and the threshold with the claim.
const PRIORITY_SIZE: u64 = 4;
const NSOURCES: u64 = 1024;
const ENABLES: u64 = 0x2000;
const ENABLES_SIZE: u64 = 0x80;
const CONTEXTS: u64 = 0x20_0000;
const CONTEXT_SIZE: u64 = 0x1000;

/// How a device interrupts a hart in supervisor mode: by a PLIC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wire {
    /// The device's number as a source of interrupts.
    pub source: u32,
    /// The physical addresses of the PLIC's registers: the source's priority; the bits of the hart's sources; the
    /// hart's threshold and claim.
    pub priority: PhysAddr,
    /// See [`priority`](Self::priority).
    pub enables: PhysAddr,
    /// See [`priority`](Self::priority).
    pub context: PhysAddr,
}

impl DeviceTree<'_> {
    /// How the device that [`device`](Self::device) finds interrupts `hart`. `None` if it cannot, or if the tree says it
    /// by the device's `interrupts-extended` (2.4.1) instead of `interrupts`.
    #[must_use]
    pub fn wire(&self, binding: &str, hart: u64) -> Option<Wire> {
        // The controller is that of the device, or of the nodes above it (2.4.1).
        let device = self.find(binding)?;
        let above = [device.node, device.bus, self.tree.root()];
        let controller = above.into_iter().find_map(|node| number(node, "interrupt-parent"))?;
        let source = word(property(device.node, "interrupts")?.get(..4)?)?;

        let is_plic = |plic: &super::Device<'_>| {
            number(plic.node, "phandle") == Some(controller)
                && ["riscv,plic", "sifive,plic"].iter().any(|binding| follows(plic.node, binding))
        };
        let plic = self.devices().find(is_plic)?;
        let input = self.hart_controller(hart)? << 32 | SUPERVISOR_EXTERNAL;
        let mut inputs = property(plic.node, "interrupts-extended")?.chunks_exact(8);
        let context = inputs.position(|pair| word(pair) == Some(input))? as u64;

        let register = |offset: u64, size: u64| {
            let pa = plic.registers.as_u64() + offset;
            (offset + size <= plic.size && self.is_device(pa)).then_some(PhysAddr::new(pa))
        };
        let source = Some(source).filter(|source| (1..NSOURCES).contains(source))?;
        Some(Wire {
            source: source as u32,
            priority: register(PRIORITY_SIZE * source, PRIORITY_SIZE)?,
            enables: register(ENABLES + ENABLES_SIZE * context, ENABLES_SIZE)?,
            context: register(CONTEXTS + CONTEXT_SIZE * context, CONTEXT_SIZE)?,
        })
    }

    /// The number by which the tree refers to the interrupt controller within `hart`.
    fn hart_controller(&self, hart: u64) -> Option<u64> {
        let harts = self.tree.find_node("/cpus")?;
        let node = harts.children().find(|node| number(*node, "reg") == Some(hart))?;
        number(node.child("interrupt-controller")?, "phandle")
    }
}
