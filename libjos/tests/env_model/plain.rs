//! The plain model of environments: what JOS's rules say, in maps and lists, without tables, counts or frames.

use std::collections::BTreeMap;

use layout::{MemLayout, PGSIZE};

/// A page's contents, by 4 bytes; zeros are left out.
pub(crate) type Contents = BTreeMap<u64, u32>;

/// A page of an environment: which memory, and what the program may do with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Page {
    pub(crate) memory: usize,
    pub(crate) writable: bool,
    pub(crate) executable: bool,
    /// The bits of the entry that are the program's own.
    pub(crate) own: u64,
}

/// An environment.
#[derive(Clone, Debug)]
pub(crate) struct Env {
    pub(crate) id: u64,
    pub(crate) parent: u64,
    /// Whether it may run. The one that runs is told by [`Plain::current`].
    pub(crate) runnable: bool,
    pub(crate) registers: [u64; 8],
    pub(crate) pc: u64,
    pub(crate) sp: u64,
    pub(crate) upcall: u64,
    pub(crate) receives: Option<u64>,
    /// Value, sender, permissions.
    pub(crate) message: (u64, u64, u64),
    pub(crate) pages: BTreeMap<u64, Page>,
}

/// The permissions that a machine's entries can and cannot express.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Bytes of a word.
    pub(crate) word: u64,
    /// The own bits that a program may set, and those that are kept.
    pub(crate) own: u64,
    pub(crate) kept: u64,
    pub(crate) utop: u64,
}

impl Rules {
    pub(crate) fn of<L: MemLayout>(word: u64, own: u64, kept: u64) -> Self {
        Self { word, own, kept, utop: L::UTOP }
    }
}

/// How an operation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// As it should; of a load, the value.
    Done(Option<u64>),
    /// There was no memory, and nothing has changed.
    NoMemory,
}

/// All environments.
#[derive(Clone, Debug)]
pub(crate) struct Plain {
    pub(crate) rules: Rules,
    pub(crate) envs: BTreeMap<usize, Env>,
    /// The last id of each slot that was used.
    pub(crate) ids: Vec<u64>,
    /// Slots that were freed, the last one first.
    pub(crate) freed: Vec<usize>,
    pub(crate) current: Option<usize>,
    pub(crate) last: usize,
    pub(crate) memory: Vec<Contents>,
}

const BAD_ENV: i64 = -2;
const INVAL: i64 = -3;
const NO_MEM: i64 = -4;
const NOT_RECV: i64 = -7;

impl Plain {
    /// The slot that is used next, and its id.
    fn next_slot(&self) -> (usize, u64) {
        let slot = self.freed.last().copied().unwrap_or(self.ids.len());
        let last = self.ids.get(slot).map_or(0, |id| id & !0xFFF);
        (slot, (last + 0x1000) | slot as u64)
    }

    /// Makes an environment of `env`.
    pub(crate) fn add(&mut self, env: Env) -> usize {
        let (slot, id) = self.next_slot();
        if self.freed.pop().is_none() {
            self.ids.push(0);
        }
        self.ids[slot] = id;
        self.envs.insert(slot, Env { id, ..env });
        slot
    }

    fn end(&mut self, slot: usize) {
        self.envs.remove(&slot);
        self.freed.push(slot);
        if self.current == Some(slot) {
            self.current = None;
        }
    }

    /// The next one's turn, if one may run; else that of the current one, if it may.
    pub(crate) fn schedule(&mut self, current_may_go_on: bool) {
        let runnable = |slot: &usize| {
            let env = &self.envs[slot];
            env.runnable && self.current != Some(*slot)
        };
        let after = |slot: &&usize| **slot > self.last;
        let slots: Vec<usize> = self.envs.keys().copied().filter(runnable).collect();
        let next = slots.iter().find(after).or(slots.first()).copied();
        let next =
            next.or(self.current.filter(|slot| current_may_go_on && self.envs[slot].runnable));
        self.current = next;
        if let Some(slot) = next {
            self.last = slot;
        }
    }

    /// Goes on with the current environment if it may run, and otherwise with the next one.
    fn go_on(&mut self) {
        if self.current.is_none_or(|slot| !self.envs[&slot].runnable) {
            self.schedule(false);
        }
    }

    pub(crate) fn me(&mut self) -> &mut Env {
        let slot = self.current.expect("one runs");
        self.envs.get_mut(&slot).unwrap()
    }

    /// The slot that an id means to the caller.
    fn slot(&self, id: u64, must_be_own: bool) -> Result<usize, i64> {
        let me = self.current.unwrap();
        if id == 0 {
            return Ok(me);
        }
        let found = self.envs.iter().find(|(_, env)| env.id == id);
        let (slot, env) = found.ok_or(BAD_ENV)?;
        let is_own = *slot == me || env.parent == self.envs[&me].id;
        if must_be_own && !is_own { Err(BAD_ENV) } else { Ok(*slot) }
    }

    fn page_address(&self, va: u64) -> Result<u64, i64> {
        if va < self.rules.utop && va.is_multiple_of(PGSIZE) { Ok(va) } else { Err(INVAL) }
    }

    fn perm(&self, perm: u64) -> Result<(bool, u64), i64> {
        let own = perm & 0xE00;
        if perm & 5 != 5 || perm & !0xE07 != 0 || own & !self.rules.own != 0 {
            return Err(INVAL);
        }
        Ok((perm & 2 != 0, own & self.rules.kept))
    }

    /// The page to be shared, as it is to look elsewhere.
    fn shared(&self, slot: usize, va: u64, perm: u64) -> Result<Page, i64> {
        let (writable, own) = self.perm(perm)?;
        let page = *self.envs[&slot].pages.get(&va).ok_or(INVAL)?;
        if writable && !page.writable { Err(INVAL) } else { Ok(Page { writable, own, ..page }) }
    }

    /// Does a call. `no_memory` says that the kernel found none; then nothing changes, if any is needed.
    pub(crate) fn call(&mut self, number: u64, arguments: [u64; 5], no_memory: bool) -> Outcome {
        let me = self.current.unwrap();
        self.me().registers[0] = number;
        self.me().registers[1..6].copy_from_slice(&arguments);
        if number == 10 {
            self.set_result(me, 0);
            self.schedule(true);
            return Outcome::Done(None);
        }
        let result = self.result(number, arguments, no_memory).unwrap_or_else(|error| error);
        if self.current == Some(me) {
            self.set_result(me, result);
        }
        self.go_on();
        if result == NO_MEM { Outcome::NoMemory } else { Outcome::Done(None) }
    }

    fn set_result(&mut self, slot: usize, result: i64) {
        let mask = u64::MAX >> (64 - 8 * self.rules.word);
        self.envs.get_mut(&slot).unwrap().registers[0] = result.cast_unsigned() & mask;
    }

    fn result(&mut self, number: u64, arguments: [u64; 5], no_memory: bool) -> Result<i64, i64> {
        let [a, b, c, d, e] = arguments;
        let memory = |then: i64| if no_memory { Err(NO_MEM) } else { Ok(then) };
        match number {
            2 => Ok(self.me().id as i64),
            3 => {
                let slot = self.slot(a, true)?;
                self.end(slot);
                Ok(0)
            }
            4 => {
                let slot = self.slot(a, true)?;
                let (va, (writable, own)) = (self.page_address(b)?, self.perm(c)?);
                memory(0)?;
                self.memory.push(Contents::new());
                let memory = self.memory.len() - 1;
                let page = Page { memory, writable, executable: false, own };
                self.envs.get_mut(&slot).unwrap().pages.insert(va, page);
                Ok(0)
            }
            5 => {
                let (from, to) = (self.slot(a, true)?, self.slot(c, true)?);
                let (from_va, to_va) = (self.page_address(b)?, self.page_address(d)?);
                let page = self.shared(from, from_va, e)?;
                memory(0)?;
                self.envs.get_mut(&to).unwrap().pages.insert(to_va, page);
                Ok(0)
            }
            6 => {
                let slot = self.slot(a, true)?;
                let va = self.page_address(b)?;
                self.envs.get_mut(&slot).unwrap().pages.remove(&va);
                Ok(0)
            }
            7 => {
                memory(0)?;
                let parent = self.me().clone();
                let slot = self.add(Env {
                    parent: parent.id,
                    runnable: false,
                    upcall: 0,
                    receives: None,
                    message: (0, 0, 0),
                    pages: BTreeMap::new(),
                    ..parent
                });
                self.set_result(slot, 0);
                Ok(self.envs[&slot].id as i64)
            }
            8 => {
                let slot = self.slot(a, true)?;
                let runnable = match b {
                    2 => true,
                    4 => false,
                    _ => return Err(INVAL),
                };
                self.envs.get_mut(&slot).unwrap().runnable = runnable;
                // To make itself runnable is to give way.
                if runnable && self.current == Some(slot) {
                    self.set_result(slot, 0);
                    self.schedule(true);
                }
                Ok(0)
            }
            9 => {
                let slot = self.slot(a, true)?;
                self.envs.get_mut(&slot).unwrap().upcall = b;
                Ok(0)
            }
            11 => self.send(a, b, c, d, no_memory),
            12 => {
                if a < self.rules.utop {
                    self.page_address(a)?;
                }
                let me = self.me();
                (me.receives, me.runnable) = (Some(a), false);
                Ok(0)
            }
            _ => Err(INVAL),
        }
    }

    fn send(
        &mut self,
        to: u64,
        value: u64,
        va: u64,
        perm: u64,
        no_memory: bool,
    ) -> Result<i64, i64> {
        let to = self.slot(to, false)?;
        let wanted = self.envs[&to].receives.ok_or(NOT_RECV)?;
        let mut came = 0;
        if va < self.rules.utop {
            let va = self.page_address(va)?;
            let page = self.shared(self.current.unwrap(), va, perm)?;
            if wanted < self.rules.utop {
                if no_memory {
                    return Err(NO_MEM);
                }
                self.envs.get_mut(&to).unwrap().pages.insert(wanted, page);
                came = perm;
            }
        }
        let from = self.me().id;
        let receiver = self.envs.get_mut(&to).unwrap();
        (receiver.receives, receiver.runnable) = (None, true);
        receiver.message = (value, from, came);
        Ok(0)
    }

    /// The page that `va` lies in, if the current one may access it so.
    fn accessible(&mut self, va: u64, write: bool) -> Option<usize> {
        let page = *self.me().pages.get(&(va & !(PGSIZE - 1)))?;
        (page.writable || !write).then_some(page.memory)
    }

    /// Reads 8 bytes at a multiple of 8 below UTOP, or above, where the model knows only whether one may.
    pub(crate) fn load(&mut self, va: u64) -> Option<Option<u64>> {
        if va >= self.rules.utop {
            return None;
        }
        let memory = self.accessible(va, false);
        if memory.is_none() {
            self.fault(va);
        }
        let half = |memory: usize, at: u64| {
            u64::from(*self.memory[memory].get(&(at % PGSIZE)).unwrap_or(&0))
        };
        Some(memory.map(|memory| half(memory, va) | half(memory, va + 4) << 32))
    }

    pub(crate) fn store(&mut self, va: u64, value: u64) {
        match self.accessible(va, true).filter(|_| va < self.rules.utop) {
            Some(memory) => {
                self.memory[memory].insert(va % PGSIZE, value as u32);
                self.memory[memory].insert(va % PGSIZE + 4, (value >> 32) as u32);
            }
            None => self.fault(va),
        }
    }

    /// A page fault of the current one.
    pub(crate) fn fault(&mut self, va: u64) {
        let (word, top) = (self.rules.word, self.rules.utop);
        let me = self.me().clone();
        let words = [va, 0].into_iter().chain(me.registers).chain([me.pc, 0, me.sp]);
        let on_stack = (top - PGSIZE..top).contains(&me.sp);
        let end = if on_stack { me.sp - word } else { top };
        let at = end - 13 * word;
        // (The rig keeps upcalls out of what programs may read above UTOP.)
        let upcall_may_be_read = me.pages.contains_key(&(me.upcall & !(PGSIZE - 1)));
        let frame = at..at + 13 * word;
        let may_write = frame.into_iter().all(|va| self.accessible(va, true).is_some());
        if me.upcall == 0 || !upcall_may_be_read || !may_write {
            self.end(self.current.unwrap());
            return self.go_on();
        }
        for (i, value) in words.enumerate() {
            for byte in 0..word {
                let va = at + i as u64 * word + byte;
                let memory = self.accessible(va, true).unwrap();
                let (offset, shift) = ((va & !3) % PGSIZE, va % 4 * 8);
                let cell = self.memory[memory].entry(offset).or_insert(0);
                *cell = *cell & !(0xFF << shift) | ((value >> (8 * byte)) as u32 & 0xFF) << shift;
            }
        }
        (self.me().pc, self.me().sp) = (me.upcall, at);
    }

    pub(crate) fn exception(&mut self) {
        self.end(self.current.unwrap());
        self.go_on();
    }
}
