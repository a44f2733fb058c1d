"""Runs within gdb: brings the machine to the wanted moments, and has a picture taken of each.

capture.py leaves its wish in the folder $JOS_PICTURE and finds there shot-NN.json, or problem.json. Where the
kernel keeps its things is asked of the package josgdb, which gdb's `jos` commands are made of.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import gdb
from josgdb import envs, kernel, machine, programs, steps
from josgdb.context import CONTEXT

FOLDER = Path(os.environ["JOS_PICTURE"])
BEGINS = "mem_init begins"
DONE = "The memory system stands"
# The symbols at which the window's parts begin, except for the first.
WINDOW_PARTS = {"stext": "window, kernel code", "text_end_exclusive": "window, kernel constants",
                "rodata_end_exclusive": "window, all else"}
# The names by which the tool knows the machines.
LAYOUTS = {"x86_64": "jos64", "i386": "jos32", "riscv64": "jossv39"}
PANIC, EXIT, PROMPT = "kernel::panic::report", "kernel::exit::exit", "readline"
# Functions about environments, after a call of which a picture can be taken.
OF_ENVIRONMENTS = ("env_alloc", "env_run", "env_free", "sched_yield", "syscall", "page_fault_handler")


class Problem(Exception):
    """Raised if there is no picture, with the reason."""


class Ended(Problem):
    """Raised if the machine ended too early. Its last output may show the reason."""


def ranges(runs):
    """A libjos RangeSet as pairs of numbers."""
    array = runs["runs"]
    return [[kernel.number(array[i][end]) for end in ("start", "end_exclusive")] for i in range(int(runs["len"]))]


class Camera:
    """Takes pictures of the machine."""

    def __init__(self, tool):
        self.tool, self.taken = tool, 0
        # mem_init's argument: the RAM, and the loader's data in it.
        boot = kernel.argument(gdb.newest_frame(), "boot")
        self.usable, self.reserved = ranges(boot["memory"]["usable"]), ranges(boot["reserved"]["pages"])

    def take(self, title, said):
        """A picture of now."""
        found = kernel.find(CONTEXT.facts)
        paging, root, _ = machine.mode()
        facts = {
            "title": title, "said": said, "cr3": root if paging else None,
            "entry_pgdir": kernel.entry_pgdir(CONTEXT.facts), "kern_pgdir": found.kern_pgdir,
            "pages": (found.pages.pa, len(found.pages)) if found.pages else None,
            "usable": self.usable, "reserved": self.reserved, "envs": all_environments(),
        }
        core, told = FOLDER / "core", FOLDER / "facts.json"
        told.write_text(json.dumps(facts))
        said = gdb.execute(f"monitor dump-guest-memory {core}", to_string=True)
        if not core.exists():
            raise Problem(f"QEMU did not dump the memory: {said.strip()}")
        layout, kernel_file = LAYOUTS[machine.arch().name], gdb.current_progspace().filename
        command = [self.tool, "read", layout, str(core), str(told), kernel_file]
        shot = FOLDER / f"shot-{self.taken:02}.json"
        with open(shot, "wb") as output:
            done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, check=False)
        core.unlink()
        if done.returncode:
            shot.unlink()
            raise Problem(done.stderr.decode(errors="replace").strip())
        self.taken += 1

    def retake(self, title, said):
        """A picture of now, replacing the last one."""
        self.taken = max(0, self.taken - 1)
        self.take(title, said)


def all_environments():
    """The environments that there are, and what each of them does."""
    try:
        found = envs.every()
    except kernel.NotYet:
        return []
    rows = []
    for env in found:
        program = programs.running(env)
        waits = envs.STATUSES[env.status] + (", waits for a message" if env.receiving else "")
        rows.append({"id": f"{env.id:08x}", "program": program.name if program else "", "status": waits, "root": env.root})
    return rows


def all_steps():
    """(name, title, output of `jos step`) of each step after mem_init has begun, up to the application.

    A name comes to stand for several calls; what mem_init does itself between two calls has no name.
    """
    calls = {}
    while True:
        first, *rest = gdb.execute("jos step", to_string=True).splitlines() or [""]
        rest = [line.strip() for line in rest]
        if first.startswith(DONE):
            yield steps.END, "The application begins", [first]
            return
        if first.startswith("On the way"):
            yield None, name_between(rest), rest
            continue
        found = re.match(rf"({'|'.join(steps.STEPS)})(?:: (.*))?$", first)
        if not found:
            raise Ended(f"mem_init did not come to its end: {first}")
        name, purpose = found[1], found[2]
        calls[name] = calls.get(name, 0) + 1
        title = name if calls[name] == 1 else f"{name} ({calls[name]})"
        if region := mapped_region(rest) if name == "boot_map_region" else "":
            title += f": {region}"
        yield name, title, [purpose, *rest] if purpose else rest


def mapped_region(lines):
    """The name of the region that a step has mapped; the window is mapped in parts."""
    start = re.search(r"\+ (0x[0-9a-f]+)\.\.", "\n".join(lines))
    if start is None:
        return ""
    va = int(start[1], 16)
    parts = {kernel.symbol(name): part for name, part in WINDOW_PARTS.items()}
    parts[CONTEXT.facts.kernbase] = "window, below the kernel"
    return parts.get(va) or CONTEXT.facts.region(va)["name"]


def name_between(lines):
    """The title of a step that mem_init does itself, recognised by the changes."""
    for sign, title in ((f"{machine.arch().root}:", "lcr3"), ("is the directory itself", "self-map at UVPT")):
        if any(sign in line for line in lines):
            return title
    return "between two calls"


def begin(tool):
    """Stops at the start of mem_init, and makes a camera there."""
    if steps.run_to((steps.START, PANIC)) != steps.START:
        go_on()
        raise Ended("the kernel ended before mem_init began")
    return Camera(tool)


def go_on():
    """Lets the machine print its error."""
    if gdb.selected_inferior().pid:
        steps.go("continue")


def film(tool):
    """Takes a picture of each step."""
    camera = begin(tool)
    camera.take(BEGINS, ["RAM is known to the loader; entry_pgdir maps 256 MB twice, where they are and at KERNBASE."])
    for _, title, said in all_steps():
        camera.take(title, said)


def one(tool, step):
    """Takes a picture after a step: NAME means the last of successive calls of NAME, NAME:N the Nth."""
    name, _, number = step.partition(":")
    names = (steps.START, *steps.STEPS, steps.END, *OF_ENVIRONMENTS)
    if name not in names or (number and not number.isdecimal()):
        raise Problem(f'unknown STEP "{step}"; there are: {" ".join(names)}, and NAME:N for the Nth call of one')
    camera = begin(tool)
    if name == steps.START:
        camera.take(BEGINS, [])
        return
    if name in OF_ENVIRONMENTS:
        of_environments(camera, name, int(number or 1))
        return
    calls = 0
    for called, title, said in all_steps():
        if called == name:
            calls += 1
            if not number or calls == int(number):
                camera.retake(title, said)
        elif called is not None and camera.taken:
            return
        if number and calls == int(number):
            return
    if not camera.taken:
        raise Problem(f"{name} is called only {calls} time{'s' if calls != 1 else ''}")


def of_environments(camera, name, number):
    """Takes a picture where a function about environments is called for the Nth time."""
    point = steps.breakpoint_at(name)
    if point is None:
        raise Problem(f"this kernel has no function {name}")
    points = [point, *map(steps.breakpoint_at, (PROMPT, EXIT, PANIC))]
    for other in points:
        other.enabled = True
    point.ignore_count = number - 1
    steps.go("continue")
    if point.hit_count != number or gdb.newest_frame().pc() != point.locations[0].address:
        times = f"{point.hit_count} time{'s' if point.hit_count != 1 else ''}"
        raise Problem(f"{name} is called only {times}: name a program (CMDLINE=run=NAME), or a lower number")
    camera.take(f"Call {number} of {name}", [line_of_environment(env) for env in all_environments()])


def line_of_environment(env):
    """What an environment does, in a line."""
    return f"environment {env['id']}{' (' + env['program'] + ')' if env['program'] else ''}: {env['status']}"


def prompt(tool):
    """Takes a picture when the application asks for input, or ends."""
    camera = begin(tool)
    reached = steps.run_to((PROMPT, EXIT, PANIC))
    if reached == PROMPT:
        camera.take("The monitor waits at its prompt", ["mem_init is done, and kern_pgdir is in use."])
    elif reached == EXIT:
        camera.take("The application has ended", ["mem_init is done, and kern_pgdir is in use."])
    else:
        go_on()
        raise Ended("the kernel ended before its prompt")


def main():
    """Does what capture.py asks for."""
    wish = json.loads((FOLDER / "wish.json").read_text())
    try:
        {"film": film, "step": one, "prompt": prompt}[wish["wish"][0]](wish["tool"], *wish["wish"][1:])
    except Problem as problem:
        told = {"problem": str(problem), "ended": isinstance(problem, Ended)}
        (FOLDER / "problem.json").write_text(json.dumps(told))
    # The machine is no longer needed; capture.py ends it.


main()
