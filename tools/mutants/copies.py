"""Copies of the sources to plant mutants in, and commands that are run there. Each has a target folder of its own."""

import filecmp
import json
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OUT = ROOT / "obj" / "mutants"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute()


class Failed(Exception):
    """Raised to end the program, with a message for its user."""


def command(arguments, folder=ROOT, target=TARGET, **environment):
    """Runs cargo, or a program that runs it, and returns the completed process."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target), **environment}
    # In this process group, so that an interrupt ends cargo too.
    return subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False)


def messages(built, reason):
    """Cargo's messages of one kind in the output of a build with --message-format=json."""
    lines = (json.loads(line) for line in built.stdout.splitlines() if line.startswith("{"))
    return [message for message in lines if message["reason"] == reason]


def errors(built):
    """The compiler's errors in a failed build."""
    told = (message["message"] for message in messages(built, "compiler-message"))
    return [message for message in told if message["level"] == "error"]


def said(built):
    """What the compiler and cargo said of a failed build, as text.

    >>> error = {"reason": "compiler-message", "message": {"level": "error", "rendered": "no such name\\n"}}
    >>> said(subprocess.CompletedProcess([], 101, json.dumps(error) + "\\n", "could not compile\\n"))
    'no such name\\ncould not compile\\n'
    """
    return "".join(error["rendered"] for error in errors(built)) + built.stderr


def copy_sources(to, written=()):
    """Makes the folder `to` a copy of ROOT, but for build results. The files in `written` stay as they are there."""
    left_out = {".git", "obj", "target", "__pycache__", TARGET.name}
    kept = {pathlib.Path(name) for name in written}
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in left_out]
        place = pathlib.Path(folder).relative_to(ROOT)
        (to / place).mkdir(parents=True, exist_ok=True)
        for name in names:
            kept.add(place / name)
            new, old = ROOT / place / name, to / place / name
            # Unchanged files keep their times, or cargo would build them anew.
            same = old.exists() and filecmp.cmp(new, old, shallow=False)
            if not same and str(place / name) not in written:
                shutil.copy(new, old)
    for folder, folders, names in os.walk(to):
        folders[:] = [name for name in folders if name not in left_out]
        for name in names:
            if (pathlib.Path(folder) / name).relative_to(to) not in kept:
                (pathlib.Path(folder) / name).unlink()


class Copy:
    """A copy of the sources."""

    def __init__(self, name, **environment):
        self.folder = OUT / name
        self.target = TARGET / f"mutants-{name}"
        # Make names the archive of programs of the sources themselves, which may not be there.
        self.environment = {"JOS_PROGRAMS": "", **environment}

    def run(self, *arguments, **environment):
        """Runs a command here."""
        return command(arguments, self.folder, self.target, **{**self.environment, **environment})

    def cargo(self, *arguments):
        """Runs cargo here, for the host."""
        return self.run("cargo", *arguments, "--profile=mutants")


class Clean(Copy):
    """A copy with one mutant at a time, as cargo-mutants itself makes it. Lints are on here: one of them stops the
    compiler from evaluating an endless constant for ever.
    """

    def __init__(self, number):
        super().__init__(f"clean-{number}")
        copy_sources(self.folder)
        self.changed = None

    def put(self, mutant):
        """Puts one mutant in, and takes out the one before."""
        if self.changed:
            shutil.copyfile(ROOT / self.changed, self.folder / self.changed)
        self.changed = mutant["file"]
        file = self.folder / self.changed
        file.write_text(apply(mutant["diff"], file.read_text()))


def apply(diff, text):
    """Applies a unified diff of one file.

    >>> apply("--- a\\n+++ b\\n@@ -2,3 +2,3 @@\\n 2\\n-3\\n+three\\n 4\\n", "1\\n2\\n3\\n4\\n")
    '1\\n2\\nthree\\n4\\n'
    """
    lines, done, at = text.splitlines(keepends=True), [], 0
    for line in diff.splitlines(keepends=True)[2:]:
        if begin := re.match(r"@@ -(\d+)", line):
            done += lines[at:int(begin[1]) - 1]
            at = int(begin[1]) - 1
        elif line[0] == "+":
            done.append(line[1:])
        elif line[0] in "- ":
            if lines[at].rstrip("\n") != line[1:].rstrip("\n"):
                raise Failed(f"a diff that does not fit: {line!r} for {lines[at]!r}")
            done += lines[at:at + 1] if line[0] == " " else []
            at += 1
    return "".join(done + lines[at:])
