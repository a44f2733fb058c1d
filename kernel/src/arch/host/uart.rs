//! A simulated 16550 (data sheet, section 8), and the terminal at its other end.

use std::collections::VecDeque;
use std::vec::Vec;

use super::process;

/// Bytes that each of the two FIFOs holds.
const FIFO: usize = 16;
/// The line's registers: data and divisor, interrupts and divisor, FIFO control, line control, line
/// status, scratch.
const DATA: u16 = 0;
const INTERRUPTS: u16 = 1;
const FIFO_CONTROL: u16 = 2;
const LINE_CONTROL: u16 = 3;
const LINE_STATUS: u16 = 5;
/// A bit of FIFO control: drops what has arrived, as does switching the FIFO on or off.
const CLEAR_RECEIVED: u8 = 1 << 1;
/// Bits of the line status.
const DATA_READY: u8 = 1 << 0;
const FIFO_EMPTY: u8 = 1 << 5;
const ALL_SENT: u8 = 1 << 6;

/// The serial port.
pub(crate) struct Uart {
    /// Whether the board has one.
    pub present: bool,
    /// Bytes that the terminal sends.
    typed: VecDeque<u8>,
    /// Whether typed bytes come at the line's speed, each as a byte is sent or as the status is read,
    /// and are lost if the kernel does not read them in time. Otherwise they wait, as in QEMU.
    pub is_real: bool,
    /// Readings of the line status until the terminal has taken the bytes in the FIFO.
    pub slowness: u32,
    /// Bytes that the terminal received.
    pub received: Vec<u8>,
    arrived: VecDeque<u8>,
    leaving: Vec<u8>,
    /// Bytes that have left the FIFO and that the terminal has not received yet.
    shifting: Vec<u8>,
    /// Readings of the line status until all bytes are sent.
    busy: u32,
    has_fifo: bool,
    divisor: [u8; 2],
    registers: [u8; 8],
}

impl Uart {
    pub(super) const fn new() -> Self {
        Self {
            present: true,
            typed: VecDeque::new(),
            is_real: false,
            slowness: 0,
            received: Vec::new(),
            arrived: VecDeque::new(),
            leaving: Vec::new(),
            shifting: Vec::new(),
            busy: 0,
            has_fifo: false,
            divisor: [0; 2],
            registers: [0; 8],
        }
    }

    /// Types `bytes` at the terminal.
    pub(crate) fn type_bytes(&mut self, bytes: &[u8]) {
        self.typed.extend(bytes);
        if !self.is_real {
            self.arrive();
        }
    }

    /// The number of typed bytes that the kernel has not read.
    pub(crate) fn waiting(&self) -> usize {
        self.typed.len() + self.arrived.len()
    }

    /// The divisor of 115200 baud, and the line control register.
    pub(crate) fn line(&self) -> (u16, u8) {
        (u16::from_le_bytes(self.divisor), self.registers[usize::from(LINE_CONTROL)])
    }

    /// Whether it requests an interrupt: the transmitter is empty, or a byte has arrived.
    pub(super) fn interrupts(&self) -> bool {
        let reasons = self.registers[usize::from(INTERRUPTS)];
        self.present
            && (reasons & 1 << 1 != 0 && self.leaving.is_empty()
                || reasons & 1 << 0 != 0 && !self.arrived.is_empty())
    }

    fn has_divisor_latch(&self) -> bool {
        self.registers[usize::from(LINE_CONTROL)] & 1 << 7 != 0
    }

    pub(super) fn read(&mut self, register: u16) -> u8 {
        if !self.present {
            return 0xFF;
        }
        match register {
            DATA | INTERRUPTS if self.has_divisor_latch() => self.divisor[usize::from(register)],
            DATA => self.arrived.pop_front().unwrap_or(0),
            LINE_STATUS => self.status(),
            _ => self.registers[usize::from(register)],
        }
    }

    pub(super) fn write(&mut self, register: u16, value: u8) {
        match register {
            _ if !self.present => {}
            DATA | INTERRUPTS if self.has_divisor_latch() => {
                self.divisor[usize::from(register)] = value;
            }
            DATA => self.send(value),
            FIFO_CONTROL => {
                let turned = self.has_fifo != (value & 1 != 0);
                self.has_fifo = value & 1 != 0;
                if turned || value & CLEAR_RECEIVED != 0 {
                    self.arrived.clear();
                }
            }
            _ => self.registers[usize::from(register)] = value,
        }
    }

    /// Takes a byte to send. It is lost if the FIFO is full.
    fn send(&mut self, byte: u8) {
        let room = if self.has_fifo { FIFO } else { 1 };
        if self.leaving.len() < room {
            self.leaving.push(byte);
        }
        self.busy = self.slowness;
        self.arrive();
        self.leave();
    }

    /// Passes on the bytes whose time has come: out of the FIFO after half of the time, to the terminal at its end.
    fn leave(&mut self) {
        if self.busy <= self.slowness / 2 {
            self.shifting.append(&mut self.leaving);
        }
        if self.busy == 0 && !self.shifting.is_empty() {
            process::show(&self.shifting);
            self.received.append(&mut self.shifting);
        }
    }

    /// Lets typed bytes arrive.
    fn arrive(&mut self) {
        let room = if self.has_fifo { FIFO } else { 1 };
        if self.is_real {
            let byte = self.typed.pop_front();
            // With a full FIFO the byte is lost.
            self.arrived.extend(byte.filter(|_| self.arrived.len() < room));
        } else {
            let count = self.typed.len().min(room.saturating_sub(self.arrived.len()));
            self.arrived.extend(self.typed.drain(..count));
        }
    }

    fn status(&mut self) -> u8 {
        self.busy = self.busy.saturating_sub(1);
        self.leave();
        self.arrive();
        let ready = if self.arrived.is_empty() { 0 } else { DATA_READY };
        let empty = if self.leaving.is_empty() { FIFO_EMPTY } else { 0 };
        let sent = if self.busy == 0 { ALL_SENT } else { 0 };
        ready | empty | sent
    }
}
