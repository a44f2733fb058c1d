"""The results for each mutant, their validity after changes, and the final report."""

import collections
import hashlib
import json
import pathlib
import re

import graded
import imagetests
from asking import split
from copies import OUT, ROOT, Failed

REASONS = "docs/mutants.md"
REASONS_FILE = ROOT / REASONS
REASONS_BEGIN = "## Mutants that no test can catch"
COLUMNS = ["caught", "missed", "timeout", "unviable", "not run"]


def digest(texts):
    """A short digest of (name, text) pairs."""
    sha = hashlib.sha256()
    for name, text in sorted(texts):
        sha.update(f"{name}\0{len(text)}\0".encode() + text)
    return sha.hexdigest()[:16]


def files_of(place):
    """The files in a folder of the sources; of a file, that file alone."""
    place = ROOT / place
    return [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]


class Sources:
    """Digests of the sources of a part and of its tests, which tell whether a result is still valid."""

    def __init__(self, part):
        halves = [(file.relative_to(ROOT), *self.halves(file)) for place in part.needs for file in files_of(place)]
        lock = ("Cargo.lock", (ROOT / "Cargo.lock").read_bytes())
        self.tests = {file: tests for file, _, tests in halves}
        self.tests |= {file.relative_to(ROOT): file.read_bytes()
                       for place in part.asks for file in files_of(place) if file.suffix == ".py"}
        self.sources = digest([lock, *((str(file), source) for file, source, _ in halves)])
        self.all = digest([("", self.sources.encode()), *((str(file), tests) for file, tests in self.tests.items())])
        self.known = {}

    @staticmethod
    def halves(file):
        """The part of a file that the crate is built from, and the part that only tests use."""
        text = file.read_bytes()
        inner = "/".join(file.relative_to(ROOT).parts[1:])
        if inner.startswith("tests/") or "/tests/" in inner or inner.endswith("/tests.rs"):
            return b"", text
        # By convention the tests are the last thing in a file.
        tests = re.search(rb"\n#\[cfg\((test|all\(test, .*\))\)\]\nmod tests \{", text)
        return (text[:tests.start()], text[tests.start():]) if tests else (text, b"")

    def of_test(self, test):
        """The digest of a test's own files."""
        program, name = split(test)
        if program == graded.PROGRAM:
            return self.cached(tuple(graded.files(name)))
        if program == imagetests.PROGRAM:
            return self.cached((f"tools/build/{name}.py",))
        package = pathlib.PurePath(program.partition("/")[0])
        module = name.split("::")
        if "/" in program:
            places = [package / "tests"]
        else:
            module = package.joinpath("src", *module[:module.index("tests") if "tests" in module else -1])
            places = [module.with_name(module.name + ".rs"), module / "mod.rs", module / "tests.rs",
                      module / "tests"]
            places += [package / "src" / "lib.rs"] if module.name == "src" else []
        return self.cached(tuple(places))

    def cached(self, places):
        """The digest of the tests in these files and folders."""
        if places not in self.known:
            self.known[places] = digest((str(file), tests) for file, tests in self.tests.items()
                                        if any(file.is_relative_to(place) for place in places))
        return self.known[places]


class Results:
    """The verdicts, one line of JSON each, appended as they come, so that an interrupted run can continue."""

    def __init__(self, part, mutants, sources, fresh):
        self.sources, self.path, self.by_name = sources, OUT / f"{part.name}.jsonl", {}
        if fresh:
            self.path.unlink(missing_ok=True)
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                try:
                    result = json.loads(line)
                except ValueError:  # the incomplete last line of a run that was killed
                    continue
                self.by_name[result["name"]] = result
        shorter = self.path.with_suffix(".new")
        shorter.write_text("".join(json.dumps(result) + "\n" for result in self.by_name.values()))
        shorter.replace(self.path)
        self.hints = collections.defaultdict(set)
        for result in self.by_name.values():
            self.keep_hint(result)
        self.survivors = collections.Counter(
            plain(mutant["name"]) for mutant in mutants if self.outcome(mutant) == "missed")
        self.file = open(self.path, "a", encoding="utf-8")

    def keep_hint(self, result):
        """Remembers the test that caught this mutant last, as a hint for all mutants of the same plain name."""
        if hint := result.get("by") or result.get("hint"):
            self.hints[plain(result["name"])].add(hint)

    def caught(self):
        """Pairs of a caught mutant's file and the test that caught it, for these and for older sources."""
        return [(name.partition(":")[0], result["by"]) for name, result in self.by_name.items() if "by" in result]

    def add(self, mutant, outcome, by=None, passed=()):
        """Keeps a verdict: `by` is the test that decided it, `passed` are the tests that did not see the mutant."""
        result = {"name": mutant["name"], "outcome": outcome, "sources": self.sources.sources}
        # The test that caught the mutant the last time may catch it again, so it is remembered while the mutant
        # survives.
        last = self.by_name.get(mutant["name"], {})
        if hint := last.get("by") or last.get("hint"):
            result["hint"] = hint
        if by:
            result |= {"by": by, "digest": self.sources.of_test(by)}
        if outcome == "missed":
            before = (self.still_holds(mutant) or {}).get("passed", {})
            result["passed"] = before | {test: self.sources.of_test(test) for test in passed}
        self.survivors[plain(mutant["name"])] += (outcome == "missed") - (self.outcome(mutant) == "missed")
        self.by_name[mutant["name"]] = result
        self.keep_hint(result)
        self.file.write(json.dumps(result) + "\n")
        self.file.flush()

    def still_holds(self, mutant):
        """The mutant's result, or None if the sources or the test that decided it have changed since."""
        result = self.by_name.get(mutant["name"])
        if not result or result["sources"] != self.sources.sources:
            return None
        if "by" in result and result["digest"] != self.sources.of_test(result["by"]):
            return None
        return result

    def unasked(self, mutant, tests):
        """The tests that have not been run yet; none if the verdict is known."""
        result = self.still_holds(mutant)
        if not result:
            return tests
        passed = result.get("passed", {})
        if result["outcome"] != "missed":
            return []
        return [test for test in tests if passed.get(test) != self.sources.of_test(test)]

    def outcome(self, mutant):
        """The column of the report that the mutant belongs to."""
        result = self.still_holds(mutant)
        return result["outcome"] if result else "not run"


def plain(name):
    """A mutant's name without its line and column, so that it stays the same when lines move.

    >>> plain("libjos/src/space/uvm.rs:146:55: replace - with / in Pmap<M>::uvmdealloc")
    'libjos/src/space/uvm.rs: replace - with / in Pmap<M>::uvmdealloc'
    """
    return re.sub(r":\d+:\d+: ", ": ", name, count=1)


def reasons(text):
    """Reads docs/mutants.md: for each plain name, how many survivors have a reason.

    >>> rows = ["", "| a.rs | `replace \\\\| with ^` (2) | why |", "| a.rs | `x` | why |", "## Next"]
    >>> reasons(REASONS_BEGIN + "\\n".join(rows))
    Counter({'a.rs: replace | with ^': 2, 'a.rs: x': 1})
    """
    section = re.split(r"^## ", text.partition(REASONS_BEGIN)[2], flags=re.M)[0]
    told = collections.Counter()
    for line in section.splitlines():
        row = re.fullmatch(r"\| (\S+\.(?:rs|s|ld)) \| `(.+)`(?: \((\d+)\))? \| (.+) \|", line)
        if row:
            told[f"{row[1]}: " + row[2].replace("\\|", "|")] += int(row[3] or 1)
        elif re.search(r"\.(rs|s|ld)\b", line.partition(" | ")[0]):
            raise Failed(f"{REASONS}: not understood: {line}")
    return told


def table(mutants, results):
    """Returns a table in Markdown, with a row for each file, and the share of caught mutants among those that build."""
    by_file = collections.defaultdict(collections.Counter)
    for mutant in mutants:
        by_file[mutant["file"]][results.outcome(mutant)] += 1
    rows = dict(sorted(by_file.items()))
    rows["all"] = sum(by_file.values(), collections.Counter())
    lines = [f"| file | mutants | {' | '.join(COLUMNS)} | of those that build, caught |",
             "|---|" + "--:|" * (len(COLUMNS) + 2)]
    share = 1
    for file, counts in rows.items():
        caught = counts["caught"] + counts["timeout"]
        share = caught / (caught + counts["missed"]) if caught + counts["missed"] else 1
        numbers = " | ".join(str(counts[column]) for column in COLUMNS)
        lines.append(f"| {file} | {sum(counts.values())} | {numbers} | {100 * share:.1f} % |")
    return "\n".join(lines), share


def judge(part, mutants, results, told, whole):
    """Compares the survivors among `mutants`, which are of one part, with the reasons in `told`. Returns the lines to
    print, and whether all is well. A reason without a survivor is reported, but is not a failure. `whole` says that
    these are all mutants of the part; then the share of caught ones counts too.
    """
    names, unknown = collections.defaultdict(list), collections.Counter()
    for mutant in mutants:
        outcome = results.outcome(mutant)
        if outcome == "missed":
            names[plain(mutant["name"])].append(mutant["name"])
        unknown[plain(mutant["name"])] += outcome == "not run"
    lines, well = [], True
    unnamed = {name: places for name, places in names.items() if len(places) > told[name]}
    if unnamed:
        well = False
        lines.append(f"Without a reason in {REASONS}:")
        for name, places in unnamed.items():
            more = f" ({told[name]} of these {len(places)} has one)" if told[name] else ""
            lines += [f"  {place}{more}" for place in places]
    files = {mutant["file"] for mutant in mutants}
    seen = part.has if whole else files.__contains__
    stale = [name for name, count in told.items()
             if seen(name.partition(":")[0]) and count > len(names[name]) + unknown[name]]
    if stale:
        lines += [f"Reasons in {REASONS} without a survivor:", *(f"  {name}" for name in stale)]
    if sum(unknown.values()):
        well = False
        lines.append(f"{sum(unknown.values())} mutants were not run.")
    share = table(mutants, results)[1]
    if whole and share < part.least_caught:
        well = False
        lines.append(f"{100 * share:.1f} % are caught, but {100 * part.least_caught:.0f} % must be.")
    return lines, well
