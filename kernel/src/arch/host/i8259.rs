//! Two simulated interrupt controllers, 8259s (data sheet, "programming"). They deliver nothing.

use std::vec::Vec;

/// The controllers, the first and the second.
pub(crate) struct InterruptControllers {
    /// Whether the board has them.
    pub present: bool,
    /// The words that set each of them up, after the first.
    pub setup: [Vec<u8>; 2],
    /// The lines that each does not let through.
    pub masks: [u8; 2],
    /// The interrupts in service, by lines.
    pub in_service: u16,
    /// The controllers that were told of the end of an interrupt.
    pub ended: Vec<usize>,
    /// How many of the words that set it up each still expects.
    expected: [usize; 2],
    /// Whether reads of each give the interrupts in service, and not the requests.
    reads_in_service: [bool; 2],
}

impl InterruptControllers {
    pub(super) const fn new() -> Self {
        Self {
            present: true,
            setup: [const { Vec::new() }; 2],
            masks: [0; 2],
            in_service: 0,
            ended: Vec::new(),
            expected: [0; 2],
            reads_in_service: [false; 2],
        }
    }

    /// Reads a port; `requests` are the lines with a request.
    pub(super) fn read(&self, port: u16, requests: u16) -> u8 {
        let number = usize::from(port >= 0xA0);
        match port & 1 {
            _ if !self.present => 0xFF,
            1 => self.masks[number],
            _ if self.reads_in_service[number] => self.in_service.to_le_bytes()[number],
            _ => requests.to_le_bytes()[number],
        }
    }

    pub(super) fn write(&mut self, port: u16, value: u8) {
        let number = usize::from(port >= 0xA0);
        match (port & 1, value) {
            _ if !self.present => {}
            (1, _) if self.expected[number] > 0 => {
                self.expected[number] -= 1;
                self.setup[number].push(value);
            }
            (1, _) => self.masks[number] = value,
            (_, 0x11) => {
                (self.expected[number], self.setup[number]) = (3, Vec::new());
                (self.masks[number], self.reads_in_service[number]) = (0, false);
            }
            (_, 0x20) => self.ended.push(number),
            (_, 0x0A | 0x0B) => self.reads_in_service[number] = value & 1 != 0,
            _ => unreachable!("a command that the kernel does not use: {value:#x}"),
        }
    }
}
