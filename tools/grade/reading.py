"""Stops a machine at its prompt and has the reader judge it: hooks for Machine.at_entry and Machine.typed.

At the kernel's entry a Reading reads what the loader says, from RAM; at the prompt it stops the machine, and keeps the
verdict of each subject (judge.py, access.py) in the run. A test names the subjects that must be without complaints:
Test.verdicts.
"""

import dataclasses
import os
import random
import struct
import time

import access
import built
import driving
import judge
import loaderinfo
import machinestate
import sharedram
from arch import ARCH
from elf import Image
from gdbstub import CPU, StubError
from gradelib import Machine

# The images with the symbols, below Bench.root: of what is booted as `kernel` or by GRUB, and of `shims`.
KERNEL, SHIMS = built.IMAGES["kernel"], built.IMAGES["shims"]
DRIVEN_MEMORY, DRIVEN_BYTES = "8M", 8 << 20
LOOKS = 5  # at a machine that runs programs


def features(cpu):
    """The features that the kernel must turn on, on a processor as QEMU's -cpu names it."""
    name, *changes = cpu.split(",")
    return tuple(feature for feature in ("smep", "smap") if name == "max" and f"-{feature}" not in changes)


class Reading:
    """The reading of one machine, of a kernel whose ELF file is `path`. `before` is another Machine.at_entry, which
    changes what the loader says and then stands at an entry of the kernel; `limit` is how many bytes of physical
    memory the command line allows; `given_up` are ranges of RAM for which the kernel's lists have no room; `map` is the
    memory map."""

    def __init__(self, entry, cpu="", before=None, limit=None, given_up=(), path=KERNEL, map=ARCH.map):
        self.entry, self.before, self.limit, self.given_up, self.path = entry, before, limit, given_up, path
        self.map = map
        self.features = features(cpu)
        self.info = None

    def read_loader(self, stub, symbols):
        """A Machine.at_entry: reads the loader's information at the kernel's entry."""
        if self.before:
            self.before(stub, symbols)
        else:
            self.run_to_entry(stub, symbols[self.entry])
        magic, at, mask = CPU.loader
        self.info = loaderinfo.read(stub.read_memory, stub.read(magic) & mask, stub.read(at) & mask)

    def run_to_entry(self, stub, address):
        """Runs to the entry. A loader may execute code of its own at this address before; its registers tell."""
        while True:
            stub.run_to(address)
            if self.entry != "multiboot2_start" or stub.read("ax") & 0xFFFF_FFFF == loaderinfo.MULTIBOOT2:
                return

    def read_machine(self, control):
        """A function for Machine.typed: stops the machine, judges it, and lets it run on."""
        control.command("stop")
        self.keep(control, self.verdicts(control))
        control.command("cont")

    def read_programs(self, control):
        """A function for Machine.typed: stops the machine in user mode, some times at odd moments, and judges it."""
        image = Image(control.bench.root / self.path)
        for _ in range(LOOKS):
            found = stopped_in_user_mode(control)
            state = self.state(image, found, control.memory, programs=True)
            self.keep(control, judge.among_programs(state))
            control.command("cont")

    def read_environments(self, control):
        """A function for Machine.typed: stops the machine at a prompt, after programs have run, and judges it."""
        control.command("stop")
        found = CPU.registers(control.monitor("info registers"))
        state = self.state(Image(control.bench.root / self.path), found, control.memory, programs=True)
        self.keep(control, judge.among_programs(state))
        control.command("cont")

    @staticmethod
    def keep(control, verdicts):
        """Adds verdicts to those of the run."""
        for name, complaints in verdicts.items():
            control.verdicts[name] = control.verdicts.get(name, []) + complaints

    def verdicts(self, control):
        """The verdicts on the stopped machine, by subject."""
        if self.info is None:
            why = ["the loader's information could not be read at the kernel's entry"]
            return dict.fromkeys(("frames", "counts", "map", "processor", "accesses"), why)
        found = CPU.registers(control.monitor("info registers"))
        image, fresh = Image(control.bench.root / self.path), "map" not in control.verdicts
        state = self.state(image, found, control.memory, fresh)
        verdicts = judge.verdicts(state, self.features)
        try:
            verdicts["accesses"] = access.verdict(control, state)
        except (machinestate.Unreadable, StubError, struct.error) as error:
            verdicts["accesses"] = [f"{type(error).__name__}: {error}"]
        return verdicts

    def drive_machine(self, control):
        """A function for Machine.typed: has the machine execute functions of the memory system (driving.py). It is one
        of DRIVEN_MEMORY."""
        image, load = Image(control.bench.root / self.path), sharedram.loader(
            control, ARCH.map.phys_base, DRIVEN_BYTES
        )
        seed = os.environ.get("GRADE_SEED") or f"{random.getrandbits(32):x}"
        with access.debugger(control) as stub:
            found = CPU.registers(stub.monitor("info registers"))
            read_anew = lambda: self.state(image, found, load)
            control.verdicts.update(driving.verdicts(stub, image, read_anew, seed))

    def state(self, image, registers, load, fresh=False, programs=False):
        """The State of the machine, with RAM read by `load`."""
        limits = self.limit, self.given_up
        return machinestate.State(self.map, image, self.info, registers, load, *limits, fresh, programs)


def stopped_in_user_mode(control):
    """Stops the machine while a program's own code runs, so that the kernel is between two traps; returns the registers."""
    time.sleep(random.uniform(0, 0.1))
    while True:
        control.left()
        control.command("stop")
        text = control.monitor("info registers")
        if "CPL=3" in text:
            return CPU.registers(text)
        control.command("cont")
        time.sleep(random.uniform(0, 0.01))


def read(machine, limit=None, given_up=(), again=False, map=ARCH.map):
    """The machine, read at its first prompt and, if `again`, at its last one too."""
    reading = Reading(ARCH.boot(machine.image).entry, machine.cpu, machine.at_entry, limit, given_up, map=map)
    typed = (reading.read_machine, *machine.typed)
    if again:
        typed = (*typed[:-1], reading.read_machine, typed[-1])
    return dataclasses.replace(machine, at_entry=reading.read_loader, typed=typed)


def drive(image, path):
    """A machine with the functions of tools/grade/shims, which is read, driven, and read again."""
    reading = Reading(ARCH.boot(image).entry, path=path)
    return Machine(
        image, memory=DRIVEN_MEMORY, options=sharedram.options(DRIVEN_MEMORY), at_entry=reading.read_loader,
        typed=(reading.read_machine, reading.drive_machine, reading.read_machine, "exit\r"), patience=4,
    )


def read_after_programs(machine):
    """The machine, read at its first prompt: its programs have ended, or one has come to a breakpoint."""
    reading = Reading(ARCH.boot(machine.image).entry, machine.cpu, machine.at_entry)
    typed = (reading.read_environments, *machine.typed)
    return dataclasses.replace(machine, at_entry=reading.read_loader, typed=typed)


def read_crowd(machine, path=KERNEL):
    """The machine, which runs the program `crowd` and is read meanwhile and afterwards."""
    reading = Reading(ARCH.boot(machine.image).entry, machine.cpu, machine.at_entry, path=path)

    def start_forks(control):
        control.press("g")

    typed = (reading.read_programs, start_forks, reading.read_programs, "q", reading.read_environments, "exit\r")
    return dataclasses.replace(
        machine, words="run=crowd", at_entry=reading.read_loader, typed=typed, prompt=("K> ", CROWD_PROMPT),
    )


CROWD_PROMPT = "crowd: look\r\n"
SUBJECTS = ("frames", "counts", "map", "processor", "accesses")
AMONG_PROGRAMS = ("frames", "counts", "map", "environments")
