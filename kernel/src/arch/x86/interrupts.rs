//! Interrupts of devices, by two 8259s, the second of which is at a line of the first (8259A data sheet; IBM PC/AT
//! technical reference, "system interrupts").

use core::sync::atomic::{AtomicBool, Ordering, compiler_fence};

use crate::arch::instructions::{self, Msr, Port, cpuid};
use crate::trap::cause::Interrupt;

/// The vector of line 0: JOS's IRQ_OFFSET.
pub(in crate::arch) const IRQ_OFFSET: u64 = 32;
/// The number of lines.
pub(in crate::arch) const NLINES: u64 = 16;

/// The lines of devices.
pub(in crate::arch) const TIMER: u64 = 0;
pub(in crate::arch) const KEYBOARD: u64 = 1;
pub(in crate::arch) const SERIAL: u64 = 4;
pub(in crate::arch) const MOUSE: u64 = 12;
/// The first controller's line that the second is at.
const CASCADE: u64 = 2;
/// The lowest line of each controller, which it also gives for a request that was taken back.
const LOWEST: u64 = 7;

/// The command ports of the two controllers. Their data ports follow.
const COMMAND: [u16; 2] = [0x20, 0xA0];
/// The first of four words that set a controller up: it has another beside it, and takes the fourth word too.
const ICW1: u8 = 1 << 4 | 1 << 0;
/// The fourth word: the processor is an 8086 or its like.
const ICW4: u8 = 1 << 0;
/// Commands: the highest interrupt in service has been handled; the next read gives the requests, or the
/// interrupts in service.
const END: u8 = 1 << 5;
const READ_REQUESTS: u8 = 0x0A;
const READ_IN_SERVICE: u8 = 0x0B;

/// The register with the local controller's address and state, and its bits for a controller that is on (Intel SDM
/// vol. 3A, 10.4.3 and 10.12.1).
const APIC_BASE: u32 = 0x1B;
const APIC_ON: u64 = 1 << 11 | 1 << 10;

/// Whether the board has the two controllers.
static PRESENT: AtomicBool = AtomicBool::new(false);

/// Sets up the controllers: no line interrupts, until [`allow`] lets it.
pub(crate) fn init() {
    turn_off_local_controller();
    for (number, wiring) in [(0, 1 << CASCADE), (1, CASCADE as u8)] {
        let [vector, none] = [(IRQ_OFFSET + 8 * number as u64) as u8, u8::MAX];
        command(number, ICW1);
        [vector, wiring, ICW4, none].into_iter().for_each(|word| set_data(number, word));
    }
    // A port without a device gives ones.
    let open = !(1 << CASCADE);
    set_data(0, open);
    PRESENT.store(data(0) == open, Ordering::Relaxed);
}

/// Turns the processor's own controller off, so that the 8259s reach the processor without it, however the firmware has
/// left it. (Intel SDM vol. 3A, 10.4.3. Before the P6 family the register does not exist.)
fn turn_off_local_controller() {
    let has_register =
        cpuid().get_feature_info().is_some_and(|f| f.has_apic() && f.family_id() >= 6);
    if has_register {
        let mut register = Msr::new(APIC_BASE);
        // SAFETY: the register exists, and nothing uses the controller.
        unsafe { register.write(register.read() & !APIC_ON) };
    }
}

/// Lets `line` interrupt the processor. Returns false if the board has no controllers.
pub(in crate::arch) fn allow(line: u64) -> bool {
    let present = PRESENT.load(Ordering::Relaxed);
    if present {
        let number = (line / 8) as usize;
        set_data(number, data(number) & !(1 << (line % 8)));
    }
    present
}

/// Whether the request of `line` has reached its controller.
pub(in crate::arch) fn is_requested(line: u64) -> bool {
    PRESENT.load(Ordering::Relaxed) && state(line, READ_REQUESTS)
}

/// Tells the controller that the interrupt of `line` is handled. Returns false if there was none: its request was taken
/// back too late.
pub(in crate::arch) fn acknowledge(line: u64) -> bool {
    let number = (line / 8) as usize;
    let is_real = line % 8 != LOWEST || state(line, READ_IN_SERVICE);
    if is_real {
        command(number, END);
    }
    // The first controller cannot know that the second has given up.
    if number == 1 {
        command(0, END);
    }
    is_real
}

/// Does nothing: the controllers forget a request once it is acknowledged.
pub(crate) fn typed_is_read() {}

/// The interrupt of `line`.
pub(in crate::arch) fn interrupt(line: u64) -> Interrupt {
    match line {
        TIMER => Interrupt::Timer,
        KEYBOARD | SERIAL | MOUSE => Interrupt::Typed,
        _ => Interrupt::Other,
    }
}

/// Turns interrupts on.
pub(crate) fn on() {
    instructions::enable();
}

/// Turns interrupts off. Returns whether they were on.
pub(crate) fn off() -> bool {
    let were_on = are_on();
    instructions::disable();
    were_on
}

/// Whether interrupts are on.
pub(crate) fn are_on() -> bool {
    instructions::are_enabled()
}

/// Halts the processor until an interrupt comes. They are on meanwhile, and off afterwards.
pub(crate) fn wait() {
    // The crate's function claims to use no memory, but the handler of the interrupt does.
    compiler_fence(Ordering::SeqCst);
    instructions::enable_and_hlt();
    compiler_fence(Ordering::SeqCst);
    instructions::disable();
}

/// The bit of `line` in the state that its controller gives after `read`.
fn state(line: u64, read: u8) -> bool {
    let number = (line / 8) as usize;
    command(number, read);
    // SAFETY: on a PC this port belongs to the controller or to no device. Reading changes nothing.
    unsafe { Port::<u8>::new(COMMAND[number]).read() & 1 << (line % 8) != 0 }
}

/// Gives a controller a command.
fn command(number: usize, command: u8) {
    // SAFETY: on a PC this port belongs to the controller or to no device. Every vector that the controller may raise
    // has a handler before interrupts are on.
    unsafe { Port::<u8>::new(COMMAND[number]).write(command) };
}

/// The lines that a controller does not let through.
fn data(number: usize) -> u8 {
    // SAFETY: as in `state`.
    unsafe { Port::<u8>::new(COMMAND[number] + 1).read() }
}

/// Sets the lines that a controller does not let through, or gives it a word of its set-up.
fn set_data(number: usize, word: u8) {
    // SAFETY: as in `command`.
    unsafe { Port::<u8>::new(COMMAND[number] + 1).write(word) };
}

#[cfg(test)]
mod tests;
