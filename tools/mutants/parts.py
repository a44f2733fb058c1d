"""The two parts of the house that faults are planted in: the packages of each, its mutants, and its tests."""

import json
import pathlib
from dataclasses import dataclass

import calls
import faults
import graded
import hosttests
import imagetests
from copies import ROOT, Failed, command, messages


class HostTests:
    """The build of tests that run on the host."""

    def __init__(self, *what):
        self.what = what

    def build(self, copy):
        """The test programs by name, or None; and the output of the build."""
        built = copy.cargo("test", "--no-run", "--message-format=json", *self.what)
        if built.returncode:
            return None, built
        programs = {}
        for message in messages(built, "compiler-artifact"):
            if message["executable"]:
                folder = pathlib.Path(message["manifest_path"]).parent
                name = message["target"]["name"]
                # Unit tests have their library's name; other tests have their package's name before their own.
                name = name if message["target"]["kind"] == ["lib"] else f"{folder.name}/{name}"
                programs[name] = hosttests.Program(message["executable"], folder)
        return programs, built


class Images:
    """The build of images for graded tests."""

    def __init__(self, images, kinds, *targets):
        self.images, self.kinds, self.targets = images, kinds, targets

    def build(self, copy):
        """The graded tests of these images, as a program; or None. And the output of the build."""
        # The monitor's image carries them.
        self.make(copy, "programs")
        # Then as make does it, but so that the compiler's errors can be told from others.
        built = copy.run("tools/build/kcargo", "build", "-p", "kernel", *self.kinds, "--message-format=json",
                         JOS_PROGRAMS=str(copy.folder / "obj" / graded.ARCH / "programs.tar"))
        if built.returncode:
            return None, built
        # A mutant may take away a name that gdb's users rely on.
        self.make(copy, "SYMTABFLAGS=", *self.targets)
        programs = {graded.PROGRAM: graded.Program([copy.folder], self.images)}
        if "kernel" in self.images:
            programs[imagetests.PROGRAM] = imagetests.Program(copy.folder)
        return programs, built

    def make(self, copy, *targets):
        """Makes targets in a copy."""
        made = copy.run("make", f"ARCH={graded.ARCH}", *targets)
        if made.returncode:
            raise Failed(f"make {' '.join(targets)} failed in {copy.folder}:\n{made.stdout}{made.stderr}")


@dataclass(frozen=True)
class Part:
    """Packages that are planted together, and the tests that are asked about them."""

    name: str
    packages: dict  # by folder, whose name is also the library's
    also: tuple  # other files that faults are planted in
    needs: tuple  # folders and files that it is built from
    asks: tuple  # folders and files of further tests
    least_caught: float  # the required share of caught mutants, of those that build
    checks: tuple  # the commands that compile all planted code
    tests: tuple  # the builds of all tests

    def has(self, file):
        """Whether a file belongs to this part."""
        return file in self.also or file.partition("/")[0] in self.packages

    def mutants(self):
        """All mutants, as cargo-mutants lists them, calls left out, and the faults of the lists; each with a number."""
        packages = [f"--package={name}" for name in self.packages.values()]
        listed = command(["cargo", "mutants", "--dir", str(ROOT), "--list", "--json", *packages])
        if listed.returncode:
            raise Failed(f"cargo mutants --list failed:\n{listed.stderr}")
        mutants = json.loads(listed.stdout)
        mutants += [fault for fault in calls.listed() + faults.listed() if self.has(fault["file"])]
        for number, mutant in enumerate(mutants):
            mutant["id"] = number
            mutant["package"] = mutant["file"].partition("/")[0]
        return mutants


UNIT_TESTS = HostTests("--package=libjos", "--lib")
OTHER_TESTS = HostTests("--package=libjos", "--test=*")
MONITOR_TESTS = HostTests("--package=jos-monitor", "--lib", "--test=*")
LAYOUT_TESTS = HostTests("--package=jos-layout", "--lib", "--test=*")
KERNEL_TESTS = HostTests("--package=boot", "--package=kernel", "--lib", "--tests")
KERNEL_IMAGE = Images({"kernel"}, ["--bin=kernel"], f"obj/{graded.ARCH}/kernel",
                      f"obj/{graded.ARCH}/facts.json", f"obj/{graded.ARCH}/modules")
OTHER_IMAGES = Images(graded.IMAGES - {"kernel"}, ["--bin=kernel", "--examples"], "grade-images")
ALL_IMAGES = Images(graded.IMAGES, ["--bin=kernel", "--examples"], "grade-images")

LIBRARY = Part(
    "library", {"layout": "jos-layout", "libjos": "libjos", "monitor": "jos-monitor"}, (), ("layout", "libjos", "monitor"),
    (), 0.95,
    (["cargo", "check", "--package=jos-monitor", "--package=libjos", "--lib", "--tests", "--profile=mutants"],),
    (HostTests("--package=jos-layout", "--package=libjos", "--package=jos-monitor", "--lib", "--tests"),),
)
KERNEL = Part(
    "kernel", {"boot": "boot", "kernel": "kernel"}, ("linker.ld",),
    ("layout", "libjos", "monitor", "boot", "kernel", "linker.ld"), ("tools/grade", "tools/build/test_image.py"), 0.90,
    (["cargo", "check", "--package=boot", "--package=kernel", "--lib", "--tests", "--profile=mutants"],
     ["tools/build/kcargo", "check", "--package=kernel", "--bin=kernel"]),
    (KERNEL_TESTS, ALL_IMAGES),
)
PARTS = (LIBRARY, KERNEL)


def stages(mutant):
    """The builds for a mutant that is built by itself, one after the other until a test catches it."""
    if mutant["package"] == "layout":
        return [LAYOUT_TESTS, UNIT_TESTS, OTHER_TESTS, MONITOR_TESTS]
    if mutant["package"] == "libjos":
        return [UNIT_TESTS, OTHER_TESTS, MONITOR_TESTS]
    if mutant["package"] == "monitor":
        return [MONITOR_TESTS]
    # The host has no use for the listed faults, which are in a machine's assembly.
    return [*([KERNEL_TESTS] if mutant["genre"] != faults.GENRE else []), KERNEL_IMAGE, OTHER_IMAGES]
