#!/usr/bin/env python3
"""Record the requests of a command to Linux's page allocator, as a trace for `make schemes`.

  tools/schemes/record.py -o my.trace -- cc -O2 -c tools/bench/c/pmap.c -o /dev/null
  make schemes SCHEMESFLAGS="--trace my.trace"

What is recorded are the allocations by the command and by all processes that it starts, from its start to its
end, and when these pages were freed, by whomsoever: the kernel's events kmem:mm_page_alloc and kmem:mm_page_free,
read from an instance of tracefs of its own, which is removed at the end. It takes root, and no more than some seconds.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

TRACEFS = Path("/sys/kernel/tracing")
EVENTS = ("kmem/mm_page_alloc", "kmem/mm_page_free", "sched/sched_process_fork")
BUFFER_KB = 32 << 10  # for each processor
RCU_SECONDS = 0.2  # in which page tables and the like are freed after the command's end

FREE_AT_PEAK = 10  # percent of the frames

LINE = re.compile(r"-(\d+)\s+\[\d+\].*?\s[\d.]+: (mm_page_alloc|mm_page_free|sched_process_fork): (.*)")
PAGES = re.compile(r"\bpfn=0x([0-9a-f]+) order=(\d+)")
CHILD = re.compile(r" child_pid=(\d+)$")


class Trace:
    """The requests of a process and its descendants, in the format of trace.rs.

    Linux gives out 2^order pages, and takes a part of them back where it is told to; in a trace a request is given
    back as a whole, with the last of its pages. Pages that were given out again, without a free that was seen, were
    freed at that moment. Frees of other pages than the trace's are left out.
    """

    def __init__(self, root):
        self.root = root
        self.processes = {root}
        self.owner = {}  # page in use -> number of its request
        self.left = []  # for each request: the number of its pages in use
        self.sizes = []
        self.events = []  # ("a", count) or ("f", request)
        self.in_use = self.peak = 0
        self.in_parts = set()  # requests that were freed page by page
        self.unseen = 0  # pages that were freed without an event

    def take(self, line):
        """Takes a line of tracefs's `trace`."""
        if not (found := LINE.search(line)):
            return
        process, event, fields = int(found[1]), found[2], found[3]
        if event == "sched_process_fork":
            child = int(CHILD.search(fields)[1])
            if process in self.processes:
                self.processes.add(child)
            elif child != self.root:  # the number of an ended process is used again
                self.processes.discard(child)
            return
        found = PAGES.search(fields)
        first, count = int(found[1], 16), 1 << int(found[2])
        if first == 0:  # an allocation that failed
            return
        for page in range(first, first + count):
            request = self.give_back(page)
            if request is None:
                continue
            if event == "mm_page_alloc":
                self.unseen += 1
            elif count < self.sizes[request]:
                self.in_parts.add(request)
        if event == "mm_page_alloc" and process in self.processes:
            self.ask(first, count)

    def ask(self, first, count):
        """A request got the `count` pages from `first` on."""
        self.owner.update(dict.fromkeys(range(first, first + count), len(self.sizes)))
        self.sizes.append(count)
        self.left.append(count)
        self.events.append(("a", count))
        self.in_use += count
        self.peak = max(self.peak, self.in_use)

    def give_back(self, page):
        """The request that had `page`, which is free now; None if no request of this trace had it."""
        if (request := self.owner.pop(page, None)) is None:
            return None
        self.left[request] -= 1
        if self.left[request] == 0:
            self.events.append(("f", request))
            self.in_use -= self.sizes[request]
        return request

    @property
    def frames(self):
        """The number of frames that leaves FREE_AT_PEAK percent free when the most are in use."""
        return -(-self.peak * 100 // (100 - FREE_AT_PEAK))

    def text(self, release, load):
        """The file: a description of the recording, and the events."""
        head = [
            f"Recorded by record.py: what the page allocator of Linux {release} was asked for by",
            *load.splitlines(),
            '"a N" asks for N frames, "f I" gives back what request I (from 0) had; the rest stays.',
            f"Of the frames, {FREE_AT_PEAK} % are free when the most, {self.peak}, are in use.",
        ]
        lines = [f"# {line}" for line in head] + [f"frames {self.frames}"]
        return "\n".join(lines + [f"{what} {value}" for what, value in self.events]) + "\n"

    def summary(self):
        """A summary of the trace."""
        freed = sum(what == "f" for what, _ in self.events)
        sizes = ", ".join(f"{self.sizes.count(size)} of {size}" for size in sorted(set(self.sizes)))
        return (f"{len(self.sizes)} requests ({sizes}), {freed} of them given back, {len(self.in_parts)} in parts; "
                f"{self.unseen} frees unseen; {self.frames} frames")


@contextmanager
def instance():
    """A context manager: an instance of tracefs that records the events."""
    name = TRACEFS / "instances" / f"jos-record-{os.getpid()}"
    try:
        name.mkdir()
    except OSError as error:
        sys.exit(f"record.py: no tracefs to record with: {error}\n"
                 f"It takes root, and Linux with {TRACEFS} mounted (mount -t tracefs none {TRACEFS}).")
    try:
        (name / "buffer_size_kb").write_text(f"{BUFFER_KB}")
        (name / "trace_clock").write_text("global")  # the same on all processors
        for event in EVENTS:
            (name / "events" / event / "enable").write_text("1")
        yield name
    except OSError as error:
        sys.exit(f"record.py: {error}")
    finally:
        (name / "events/enable").write_text("0")
        name.rmdir()


def record(command):
    """Run it, and return its trace."""
    with instance() as tracing:
        run = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        status = run.wait()
        time.sleep(RCU_SECONDS)
        (tracing / "tracing_on").write_text("0")
        if status:
            sys.exit(f"record.py: {command[0]} ended with {status}")
        for stats in tracing.glob("per_cpu/cpu*/stats"):
            if lost := re.search(r"^overrun: ([1-9]\d*)$", stats.read_text(), re.MULTILINE):
                sys.exit(f"record.py: {lost[1]} events were lost; record something shorter")
        trace = Trace(run.pid)
        with (tracing / "trace").open(errors="replace") as lines:
            for line in lines:
                trace.take(line)
    if not trace.sizes:
        sys.exit(f"record.py: nothing was seen of process {run.pid}; "
                 "in a container that numbers processes anew, none can be told from others")
    return trace


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", metavar="FILE", type=Path, required=True, help="where the trace goes")
    parser.add_argument("--load", help="what the trace's head says of the command (the command itself)")
    parser.add_argument("command", nargs="+", help="what to run, with its arguments, after --")
    options = parser.parse_args()
    trace = record(options.command)
    print(f"record.py: {trace.summary()}", file=sys.stderr)
    release = re.match(r"[\d.]*\d", os.uname().release)[0]  # without a distribution's suffix
    try:
        options.o.write_text(trace.text(release, options.load or shlex.join(options.command)))
    except OSError as error:
        sys.exit(f"record.py: {error}")


if __name__ == "__main__":
    main()
