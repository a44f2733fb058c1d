"""Copies of the sources to plant mutants in, and their builds.

The planted copy holds every mutant that can be turned on at run time; src/ writes it. The clean copies, one
for each job, hold one mutant at a time, as text.
"""

import collections
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
# By folder, whose name is also the library's.
PACKAGES = {"layout": "jos-layout", "libjos": "libjos"}


# An addition to a planted package's Cargo.toml: a section that no package has yet.
DEPENDENCY = """
[target.'cfg(all())'.dependencies]
mutant = { path = "../tools/mutants/switch" }
"""


# Errors in a mutant itself: a missing trait or function, or too few arguments.
ITS_OWN = {"E0061", "E0277", "E0369", "E0423", "E0425", "E0433", "E0599", "E0600"}


class Failed(Exception):
    """Raised to end the program, with a message for its user."""


def cargo(arguments, folder=ROOT, target=TARGET, **environment):
    """Runs cargo, and returns the completed process."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target), **environment}
    # In this process group, so that an interrupt ends cargo too.
    return subprocess.run(["cargo", *arguments], cwd=folder, env=environment, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False)


def said(built):
    """The errors of the compiler and cargo in a failed build.

    >>> error = {"reason": "compiler-message", "message": {"level": "error", "rendered": "no such name\\n"}}
    >>> said(subprocess.CompletedProcess([], 101, json.dumps(error) + "\\n", "could not compile\\n"))
    'no such name\\ncould not compile\\n'
    """
    # With --message-format=json the compiler's errors are among the messages on the standard output.
    messages = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    rendered = [message["message"]["rendered"] for message in messages if message["reason"] == "compiler-message"
                and message["message"]["level"] == "error"]
    return "".join(rendered) + built.stderr


def list_mutants():
    """All mutants, as cargo-mutants lists them, each with a number."""
    packages = [f"--package={name}" for name in PACKAGES.values()]
    listed = cargo(["mutants", "--dir", str(ROOT), "--list", "--json", *packages])
    if listed.returncode:
        raise Failed(f"cargo mutants --list failed:\n{listed.stderr}")
    mutants = json.loads(listed.stdout)
    for number, mutant in enumerate(mutants):
        mutant["id"] = number
        mutant["package"] = mutant["file"].partition("/")[0]
    return mutants


def copy_sources(to, written=()):
    """Makes the folder `to` a copy of ROOT, without build results. The files in `written` stay as they are there."""
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
                shutil.copyfile(new, old)
    for folder, _, names in os.walk(to):
        for name in names:
            if (pathlib.Path(folder) / name).relative_to(to) not in kept:
                (pathlib.Path(folder) / name).unlink()


class Copy:
    """A copy of the sources, with a target folder of its own."""

    def __init__(self, name, **environment):
        self.folder = OUT / name
        self.target = TARGET / f"mutants-{name}"
        self.environment = environment

    def cargo(self, *arguments):
        return cargo([*arguments, "--profile=mutants"], self.folder, self.target, **self.environment)

    def build(self, *what):
        """Builds tests; returns their programs by name, or None and the compiler's errors."""
        built = self.cargo("test", "--no-run", "--message-format=json", *what)
        if built.returncode:
            return None, built
        programs = {}
        for message in map(json.loads, built.stdout.splitlines()):
            if message["reason"] == "compiler-artifact" and message["executable"]:
                folder = pathlib.Path(message["manifest_path"]).parent
                name = message["target"]["name"]
                # Unit tests are `layout` or `libjos`; other tests have their package's name before their own.
                name = name if message["target"]["kind"] == ["lib"] else f"{folder.name}/{name}"
                programs[name] = (message["executable"], folder)
        return programs, built


class Planted(Copy):
    """The copy with all mutants."""

    def __init__(self):
        # Only the switch's crate may use unstable features. Lints do not apply to planted code.
        super().__init__("planted", RUSTC_BOOTSTRAP="mutant", RUSTFLAGS="--cap-lints=allow")

    def plant(self, mutants, dropped):
        """Plants the mutants that compile; returns the planter's output.

        `dropped` is what is known not to, and grows: by its number, whether a mutant does not compile anywhere
        (true), or maybe only beside the rest.
        """
        built = cargo(["build", "--quiet", "--package=mutants"])
        if built.returncode:
            raise Failed(f"tools/mutants does not build:\n{built.stderr}")
        copy_sources(self.folder, {mutant["file"] for mutant in mutants})
        for package in PACKAGES:
            with open(self.folder / package / "Cargo.toml", "a", encoding="utf-8") as file:
                file.write(DEPENDENCY)
        while True:
            self.write(mutants, dropped)
            checked = self.cargo("check", "--package=libjos", "--lib", "--tests", "--message-format=json")
            if not checked.returncode:
                return self.told
            blamed = self.blamed(checked.stdout)
            if not blamed.keys() - dropped.keys():
                raise Failed(f"the planted sources do not compile:\n{said(checked)}")
            for number, codes in blamed.items():
                # Behind a switch, a function must return the type that it returns otherwise.
                hidden = "impl" in ((mutants[number]["function"] or {}).get("return_type") or "")
                dropped[number] = codes <= ITS_OWN and not hidden

    def write(self, mutants, dropped):
        """Writes the planted sources, without the mutants in `dropped`."""
        # Every file is written, even without mutants.
        files = {mutant["file"] for mutant in mutants}
        keep = [mutant for mutant in mutants if mutant["id"] not in dropped]
        for file in files - {mutant["file"] for mutant in keep}:
            shutil.copyfile(ROOT / file, self.folder / file)
        (OUT / "list.json").write_text(json.dumps(keep))
        told = subprocess.run([TARGET / "debug" / "mutants", OUT / "list.json", ROOT, self.folder],
                              capture_output=True, text=True, check=False)
        if told.returncode:
            raise Failed(told.stderr)
        self.told = json.loads(told.stdout)

    def blamed(self, messages):
        """The mutants whose switch is the last one before an error, each with the errors' codes."""
        blamed = collections.defaultdict(set)
        for message in map(json.loads, messages.splitlines()):
            if message["reason"] != "compiler-message" or message["message"]["level"] != "error":
                continue
            for span in message["message"]["spans"]:
                while span["expansion"] and not (self.folder / span["file_name"]).exists():
                    span = span["expansion"]["span"]
                if span["is_primary"] and (self.folder / span["file_name"]).exists():
                    before = (self.folder / span["file_name"]).read_bytes()[:span["byte_start"]]
                    for number in re.findall(rb"mutant::is\((\d+)u32\)", before)[-1:]:
                        blamed[int(number)].add((message["message"]["code"] or {}).get("code"))
        return blamed


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
