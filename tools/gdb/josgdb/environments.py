"""The commands about environments: env and program; and what gdb says of them by itself: at a stop, in a backtrace."""

import re

import gdb
from gdb.FrameDecorator import FrameDecorator

from . import envs, kernel, machine, programs, snapshot
from .command import Command
from .facts import plural
from .paging import merged
from .unwind import function_at
from .context import CONTEXT


class Env(Command):
    """List the environments, or tell about one: jos env [ID]

ID is hexadecimal, as JOS prints it. The list marks the environment that runs with *; its registers are the processor's,
if that is in ring 3, and those of its last trap otherwise, as are all others'. Of one environment it also shows what
its page directory maps below UTOP, and how many mappings each frame there has (pp_ref). With `in env ID` at their end,
jos walk and jos map look at its directory."""

    usage = "[ID]"

    def run(self, words):
        self.wants(len(words) <= 1)
        if words:
            self.one(envs.by_id(words[0]))
            return
        found = envs.every()
        if not found:
            print("There is no environment: all have ended.")
            return
        print("  id        parent    status        runs  directory    program       stands at")
        for env in found:
            mark = "*" if env.status == envs.RUNNING else " "
            name, facts = program_name(env), CONTEXT.facts
            print(f"{mark} {env.id:08x}  {env.parent:08x}  {status(env):<12} {env.runs:5}  {facts.pa_text(env.root)}  "
                  f"{name:<12}  {place(env.pc, name)}")

    @staticmethod
    def one(env):
        """All about an environment."""
        facts, form = CONTEXT.facts, CONTEXT.form
        parent = f"child of {env.parent:08x}" if env.parent else "the kernel made it"
        waiting = ", it waits for a message" if env.receiving else ""
        print(f"{env.name}: {status(env)}{waiting}; {parent}; it has run {plural(env.runs, 'time')}")
        name = program_name(env)
        print(f"  program: {name}; it stands at {place(env.pc, name)}")
        print(f"  page-fault upcall: {place(env.upcall, name) if env.upcall else 'none'}")
        print(f"  registers, {'now' if envs.runs_now(env) else 'at its last trap'}:")
        for line in rows([f"{name:<6} {facts.va_text(value)}" for name, value in env.registers.items()]):
            print(f"    {line}")
        pages = kernel.find(facts).pages
        with machine.physical() as read:
            tables, _ = form.tables(read, env.root)
        utop = facts.addresses["UTOP"]
        leaves = [leaf for leaf in form.leaves(tables, env.root) if leaf.va < utop]
        print(f"  page directory at {env.root:#x}: {plural(len(leaves), 'page')} below UTOP")
        for run in merged(leaves, lambda one, other: pages.uses(one.pa) == pages.uses(other.pa)):
            print(f"    {snapshot.run_text(form, run)}, pp_ref {pages.uses(run.pa)}")


def status(env):
    """The status in a word or two."""
    return envs.STATUSES[env.status] if env.status < len(envs.STATUSES) else str(env.status)


def program_name(env):
    """The name of an environment's program, or "-"."""
    found = programs.running(env)
    return found.name if found else "-"


def place(va, name):
    """An address in a program's code, and the function if gdb has the symbols of the program with this name."""
    at, path = CONTEXT.facts.va_text(va), programs.Symbols.path
    if path is None or path.name != name:
        return at
    said = gdb.execute(f"info symbol {va:#x}", to_string=True).split(" in section")[0].strip()
    said = re.sub(r"::h[0-9a-f]{16}\b", "", said)  # the end of a mangled name
    return f"{at} ({said})" if not said.startswith("No symbol") else at


def rows(items, width=76):
    """Items side by side, as many as fit in a line."""
    columns = max(1, width // (max(map(len, items)) + 2))
    return ["  ".join(items[at : at + columns]) for at in range(0, len(items), columns)]


class Program(Command):
    """Load the symbols of a program in ring 3: jos program [NAME|FILE]

Then `b umain` stops where it begins, and its lines and variables are known. NAME is one of those that make has built
(user/), FILE any other, such as that of MODULE=FILE. All programs lie at the same addresses, so one at a time has its
symbols; at a stop in ring 3 gdb takes those of the program that runs, if make has built it. Without a word it says
which one that is. `make run-NAME-nox-gdb` loads NAME."""

    usage = "[NAME|FILE]"
    needs_machine = False

    def run(self, words):
        self.wants(len(words) <= 1)
        if words:
            programs.load(programs.find(words[0]))
        path = programs.Symbols.path
        print(f"The symbols of a program: {path}" if path else "No program has its symbols here.")


class Last:
    """The environment that ran at the last stop in ring 3."""

    id = None


def announce():
    """Says which environment runs, if another one ran at the stop before, and loads its program's symbols.

    hook-stop (../init.gdb) calls this before the stop is printed.
    """
    if not machine.connected() or not machine.in_user_mode():
        return
    try:
        env = envs.of_root(machine.mode().root)
        if env is None or env.id == Last.id:
            return
        Last.id = env.id
        found = programs.running(env)
        if found is not None:
            programs.load(found.path)
        print(f"Environment {env.id:08x} runs{f' ({found.name})' if found else ''}.")
    except (gdb.error, gdb.GdbError, kernel.NotYet):
        pass  # The stop is printed all the same.


class Named(FrameDecorator):
    """A frame with another name than gdb would give it."""

    def __init__(self, frame, name):
        super().__init__(frame)
        self.name = name

    def function(self):
        """The name."""
        return self.name


class Backtrace:
    """Names the frames of a backtrace: the innermost one in ring 3 by its environment, too, and assembly by its symbol."""

    name, priority, enabled = "jos64-env", 100, True

    def __init__(self):
        gdb.frame_filters[self.name] = self

    def filter(self, frames):
        """The frames, some of them renamed."""
        in_program = False
        for frame in frames:
            inner = frame.inferior_frame()
            name = inner.name() or frame.function()
            if inner.type() == gdb.SIGTRAMP_FRAME:  # gdb says "<signal handler called>".
                name = function_at(inner.pc())
            if not in_program and is_user(inner.pc()):
                in_program = True
                env = envs.of_root(machine.mode().root)
                name = f"[env {env.id:08x}] {name}" if env else name
            yield frame if name == frame.function() else Named(frame, name)


def is_user(pc):
    """Whether an address belongs to programs."""
    try:
        return pc < CONTEXT.facts.addresses["UTOP"]
    except gdb.GdbError:
        return False


def register():
    """Adds them to gdb."""
    for command in (Env, Program):
        command()
    Backtrace()
