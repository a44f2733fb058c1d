"""The copy of the sources that holds all mutants of a part that can be turned on at run time; src/ writes it."""

import collections
import json
import re
import shutil
import subprocess

import faults
from copies import OUT, ROOT, TARGET, Copy, Failed, command, copy_sources, errors, said

# An addition to a planted package's Cargo.toml: a section that no package has yet.
DEPENDENCY = """
[target.'cfg(all())'.dependencies]
mutant = { path = "../tools/mutants/switch" }
"""
# Errors in a mutant itself: a missing trait or function, or too few arguments.
ITS_OWN = {"E0061", "E0277", "E0369", "E0423", "E0425", "E0433", "E0599", "E0600"}


class Planted(Copy):
    """The copy with all mutants of a part."""

    def __init__(self, part):
        # Only the switch's crate may use unstable features. No lint is an error in planted code, for any target.
        cap = "--cap-lints=warn"
        super().__init__(f"planted-{part.name}", RUSTC_BOOTSTRAP="mutant", CARGO_BUILD_RUSTFLAGS=cap,
                         CARGO_TARGET_X86_64_UNKNOWN_NONE_RUSTFLAGS=cap)
        self.part = part

    def plant(self, mutants, dropped):
        """Plants the mutants that compile; returns the planter's output.

        `dropped` is what is known not to, and grows: by its number, whether a mutant does not compile anywhere
        (true), or maybe only beside the rest.
        """
        built = command(["cargo", "build", "--quiet", "--package=mutants"])
        if built.returncode:
            raise Failed(f"tools/mutants does not build:\n{built.stderr}")
        mutants = [mutant for mutant in mutants if mutant["genre"] != faults.GENRE]
        copy_sources(self.folder, {mutant["file"] for mutant in mutants})
        for package in self.part.packages:
            with open(self.folder / package / "Cargo.toml", "a", encoding="utf-8") as file:
                file.write(DEPENDENCY)
        for check in self.part.checks:
            while True:
                told = self.write(mutants, dropped)
                checked = self.run(*check, "--message-format=json")
                if not checked.returncode:
                    break
                blamed = self.blamed(errors(checked))
                if not blamed.keys() - dropped.keys():
                    raise Failed(f"the planted sources do not compile:\n{said(checked)}")
                for number, codes in blamed.items():
                    # Behind a switch, a function must return the type that it returns otherwise.
                    hidden = "impl" in ((mutants[number]["function"] or {}).get("return_type") or "")
                    dropped[number] = codes <= ITS_OWN and not hidden
        return told

    def write(self, mutants, dropped):
        """Writes the planted sources, without the mutants in `dropped`; returns the planter's output."""
        # Every file is written, even without mutants.
        files = {mutant["file"] for mutant in mutants}
        keep = [mutant for mutant in mutants if mutant["id"] not in dropped]
        for file in files - {mutant["file"] for mutant in keep}:
            shutil.copyfile(ROOT / file, self.folder / file)
        mutants_list = OUT / "list.json"
        mutants_list.write_text(json.dumps(keep))
        told = subprocess.run([TARGET / "debug" / "mutants", mutants_list, ROOT, self.folder],
                              capture_output=True, text=True, check=False)
        if told.returncode:
            raise Failed(told.stderr)
        return json.loads(told.stdout)

    def blamed(self, told):
        """The mutants whose switch is the last one before an error, each with the errors' codes."""
        blamed = collections.defaultdict(set)
        for error in told:
            for span in error["spans"]:
                while span["expansion"] and not (self.folder / span["file_name"]).exists():
                    span = span["expansion"]["span"]
                if span["is_primary"] and (self.folder / span["file_name"]).exists():
                    before = (self.folder / span["file_name"]).read_bytes()[:span["byte_start"]]
                    for number in re.findall(rb"mutant::is\((\d+)u32\)", before)[-1:]:
                        blamed[int(number)].add((error["code"] or {}).get("code"))
        return blamed
