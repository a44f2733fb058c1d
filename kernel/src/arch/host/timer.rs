//! Channel 0 of a simulated timer, an 8254 (data sheet, "mode 0" and "counter latch command").

/// Ticks per second.
const HZ: u64 = 1_193_182;

/// The timer.
pub(crate) struct Timer {
    /// Whether the board has one.
    pub present: bool,
    /// Whether its requests reach the interrupt controller.
    pub is_wired: bool,
    /// Counts of the processor's counter per second.
    pub counter_hz: u64,
    /// Whether it begins again when it has counted down (mode 2).
    pub repeats: bool,
    /// The counter's value at which the timer began to count; `None` before it has its first count.
    began: Option<u64>,
    /// The first count, one byte after the other.
    first: [u8; 2],
    written: usize,
    latched: [u8; 2],
    read: usize,
}

impl Timer {
    pub(super) const fn new() -> Self {
        Self {
            present: true,
            is_wired: true,
            counter_hz: 1_000_000_000,
            repeats: false,
            began: None,
            first: [0; 2],
            // As firmware leaves it.
            written: 2,
            latched: [0; 2],
            read: 0,
        }
    }

    pub(super) fn write(&mut self, port: u16, value: u8, now: u64) {
        match (port, value) {
            // Channel 0, low byte then high byte, mode 0 or 2.
            (0x43, 0b0011_0000 | 0b0011_0100) => {
                (self.written, self.began, self.repeats) = (0, None, value & 0b100 != 0);
            }
            (0x43, 0b1110_0010) => (self.latched, self.read) = ([0b1011_0000; 2], 0),
            (0x43, 0) => (self.latched, self.read) = (self.count(now).to_le_bytes(), 0),
            (0x40, _) => {
                self.first[self.written % 2] = value;
                self.written += 1;
                if self.written == 2 {
                    self.began = Some(now);
                }
            }
            _ => {}
        }
    }

    /// The first count.
    pub(crate) fn first(&self) -> u16 {
        u16::from_le_bytes(self.first)
    }

    pub(super) fn read(&mut self) -> u8 {
        if !self.present {
            return 0xFF;
        }
        self.read += 1;
        self.latched[(self.read + 1) % 2]
    }

    /// Whether it has counted down and requests an interrupt.
    pub(super) fn interrupts(&self, now: u64) -> bool {
        self.present && self.is_wired && self.ticks(now) >= self.first().into()
    }

    /// The count: down from the first one, and around.
    fn count(&self, now: u64) -> u16 {
        self.first().wrapping_sub(self.ticks(now) as u16)
    }

    /// How many times it has counted; 0 before it has its first count.
    fn ticks(&self, now: u64) -> u128 {
        let counts = u128::from(now.wrapping_sub(self.began.unwrap_or(now)));
        counts * u128::from(HZ) / u128::from(self.counter_hz)
    }
}
