//! Channel 0 of a simulated timer, an 8254 (data sheet, "mode 0" and "counter latch command").

/// Ticks per second.
const HZ: u64 = 1_193_182;

/// The timer.
pub(crate) struct Timer {
    /// Whether the board has one.
    pub present: bool,
    /// Whether its requests reach the interrupt controller.
    pub is_wired: bool,
    /// The frequency of the processor's counter, in Hz.
    pub counter_hz: u64,
    /// Whether the last control word asks it to begin again when it has counted down (mode 2). It never does.
    pub repeats: bool,
    /// The counter's value at which the timer began to count; `None` before it has its first count.
    began: Option<u64>,
    /// The initial count: the low byte, then the high byte.
    initial: [u8; 2],
    bytes_written: usize,
    /// The bytes that reads give: the low byte, then the high byte.
    latched: [u8; 2],
    bytes_read: usize,
}

impl Timer {
    pub(super) const fn new() -> Self {
        Self {
            present: true,
            is_wired: true,
            counter_hz: 1_000_000_000,
            repeats: false,
            began: None,
            initial: [0; 2],
            // As firmware leaves it.
            bytes_written: 2,
            latched: [0; 2],
            bytes_read: 0,
        }
    }

    pub(super) fn write(&mut self, port: u16, value: u8, now: u64) {
        match (port, value) {
            // Channel 0, low byte then high byte, mode 0 or 2.
            (0x43, 0b0011_0000 | 0b0011_0100) => {
                (self.bytes_written, self.began, self.repeats) = (0, None, value & 0b100 != 0);
            }
            // Latch the status: counted down, in mode 0.
            (0x43, 0b1110_0010) => (self.latched, self.bytes_read) = ([0b1011_0000; 2], 0),
            // Latch the count.
            (0x43, 0) => (self.latched, self.bytes_read) = (self.count(now).to_le_bytes(), 0),
            (0x40, _) => {
                self.initial[self.bytes_written % 2] = value;
                self.bytes_written += 1;
                if self.bytes_written == 2 {
                    self.began = Some(now);
                }
            }
            _ => {}
        }
    }

    /// The initial count; 0 stands for 65536.
    pub(crate) fn initial(&self) -> u16 {
        u16::from_le_bytes(self.initial)
    }

    pub(super) fn read(&mut self) -> u8 {
        if !self.present {
            return 0xFF;
        }
        self.bytes_read += 1;
        self.latched[(self.bytes_read + 1) % 2]
    }

    /// Whether it has counted down and requests an interrupt.
    pub(super) fn interrupts(&self, now: u64) -> bool {
        let ticks = u128::from(self.initial().wrapping_sub(1)) + 1;
        self.present && self.is_wired && self.began.is_some() && self.ticks(now) >= ticks
    }

    /// The count: down from the initial one, and around.
    fn count(&self, now: u64) -> u16 {
        self.initial().wrapping_sub(self.ticks(now) as u16)
    }

    /// The ticks since it began to count; 0 before.
    fn ticks(&self, now: u64) -> u128 {
        let counts = u128::from(now.wrapping_sub(self.began.unwrap_or(now)));
        counts * u128::from(HZ) / u128::from(self.counter_hz)
    }
}
