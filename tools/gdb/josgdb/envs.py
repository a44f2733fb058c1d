"""Environments: the array `envs`, read from RAM where kern_pgdir shows it at UENVS.

Its type is the kernel's own, by gdb's symbols. All is read by physical address, so that it is right at every stop: in
the kernel, in ring 3, in any directory.
"""

from typing import NamedTuple

import gdb

from . import kernel, machine
from .kernel import NotYet
from .context import CONTEXT

# The kernel's type of a program's registers, and its word, by machine.
TYPES = {"x86_64": ("kernel::arch::x86_64::program::Frame", "u64"),
         "i386": ("kernel::arch::i386::program::Frame", "u32")}
NENV = 1024
FREE, RUNNING = 0, 3
STATUSES = ("FREE", "DYING", "RUNNABLE", "RUNNING", "NOT_RUNNABLE")


class Env(NamedTuple):
    """An environment. Its registers are those of its last trap, or the processor's while it runs."""

    index: int
    id: int
    parent: int
    status: int
    runs: int
    root: int  # the physical address of its page directory
    upcall: int
    receiving: bool
    registers: dict

    @property
    def name(self):
        """The environment for a sentence."""
        return f"environment {self.id:08x}"

    @property
    def pc(self):
        """The program counter."""
        return self.registers[machine.arch().pc]


class Array(NamedTuple):
    """Where `envs` lies, and the type of an element."""

    pa: int
    type: gdb.Type

    def at(self, read, index):
        """The environment in a slot; None if that is free."""
        size = self.type.sizeof
        return self.parse(read(self.pa + index * size, size), index)

    def all(self, read):
        """The environments that there are."""
        size = self.type.sizeof
        memory = read(self.pa, NENV * size)
        envs = (self.parse(memory[index * size : (index + 1) * size], index) for index in range(NENV))
        return [env for env in envs if env is not None]

    def parse(self, memory, index):
        """The environment in an element's bytes; None if its slot is free."""
        if not any(memory):
            return None
        value = gdb.Value(memory, self.type)
        number = {name: kernel.number(value[name]) for name in
                  ("env_id", "env_parent_id", "env_status", "env_runs", "env_pgdir", "env_pgfault_upcall",
                   "env_ipc_recving")}
        root = CONTEXT.facts.in_window(number["env_pgdir"])
        if number["env_status"] == FREE or root is None:
            return None
        return Env(index, number["env_id"], number["env_parent_id"], number["env_status"], number["env_runs"], root,
                   number["env_pgfault_upcall"], bool(number["env_ipc_recving"]), registers(value["env_tf"]))


def registers(frame):
    """The registers in a frame by name, those of structures within it first."""
    found = {}
    fields = frame.type.fields()
    for field in sorted(fields, key=lambda field: field.type.code != gdb.TYPE_CODE_STRUCT):
        value = frame[field]
        if field.type.code == gdb.TYPE_CODE_STRUCT:
            found.update(registers(value))
        else:
            found[field.name] = machine.unsigned(value)
    return found


def array():
    """The Array; NotYet if there is none."""
    arch = machine.arch().name
    if arch not in TYPES:
        raise NotYet("There are no programs on this machine: JOS64 has them on PCs.")
    try:
        element = gdb.lookup_type("libjos::env::abi::Env<{}, {}>".format(*TYPES[arch]))
    except gdb.error:
        raise NotYet("This kernel has no environments, or nothing in its file says how they look.") from None
    root = kernel.find(CONTEXT.facts).need_kern_pgdir()
    with machine.physical() as read:
        pa = CONTEXT.form.translate(read, root, CONTEXT.facts.addresses["UENVS"])
    if pa is None:
        raise NotYet("There is no environment yet: the kernel makes `envs` when the first program is started.")
    return Array(pa, element)


def every():
    """All environments, by index. The registers of the one in ring 3 are the processor's."""
    envs = array()
    with machine.physical() as read:
        found = envs.all(read)
    return [live(env) for env in found]


def live(env):
    """The environment, with the processor's registers if that runs it now."""
    if not runs_now(env):
        return env
    return env._replace(registers={**env.registers, **processor(env.registers)})


def runs_now(env):
    """Whether the processor is in ring 3, in the environment."""
    return machine.in_user_mode() and machine.mode().root == env.root


def processor(names):
    """The processor's registers of these names. The fields of a frame that are none are left out."""
    frame, found = gdb.newest_frame(), {}
    for name in names:
        register = "eflags" if name == "rflags" else name
        try:
            found[name] = machine.unsigned(frame.read_register(register))
        except (ValueError, gdb.error):
            continue
    return found


def by_id(text):
    """The environment with an id, written as JOS prints ids."""
    try:
        wanted = int(text, 16)
    except ValueError:
        raise gdb.GdbError(f"{text} is no environment's id: those are hexadecimal, as `jos env` lists them.") from None
    for env in every():
        if env.id == wanted:
            return env
    raise gdb.GdbError(f"There is no environment {wanted:08x}; `jos env` lists them.")


class Known:
    """The slot of the environment that was asked for last: at the next stop it is mostly the same."""

    index = 0


def of_root(root):
    """The environment that has a page directory, with the registers of its last trap; None if none has it."""
    try:
        envs = array()
    except (NotYet, gdb.GdbError, gdb.error):
        return None
    with machine.physical() as read:
        env = envs.at(read, Known.index)
        if env is None or env.root != root:
            env = next((env for env in envs.all(read) if env.root == root), None)
    if env is not None:
        Known.index = env.index
    return env
