#!/usr/bin/env python3
"""Plant faults in the crates, in their assembly and in linker.ld, one at a time, and test whether a test catches each.
`make mutants` runs this; docs/mutants.md has the results, and a reason for each survivor that no test can catch.

cargo-mutants lists the mutants, and faults.toml the faults in assembly. Building the tests once per mutant would take
days. Instead, a copy of the sources carries all mutants of a part of the house at once, each behind a switch. In a test
on the host the environment variable MUTANT turns one on; in an image, which the tests of grade.py boot, a word in the
file does. Each test is run once to record the mutants that it reaches; then the tests that reach a mutant are run with
it, the likeliest first, up to the first that fails. Mutants that cannot be planted (in constants, in assembly, or if
the rest would not compile) are built one by one.

Results are kept in obj/mutants, so that an interrupted run continues where it stopped. A change of the sources
invalidates all results of the parts that are built from them, a change of tests those that depend on them. The exit
status is 0 only if enough of the mutants that build are caught and every survivor has a reason.
"""

import argparse
import concurrent.futures
import fcntl
import json
import os
import queue
import signal
import sys
import time

import asking
import graded
import parts
import results as verdicts
from copies import OUT, ROOT, Clean, Failed, errors, said
from planted import Planted


class Run:
    """One run over some mutants of a part, `jobs` at a time."""

    def __init__(self, part, chosen, options):
        self.part, self.jobs, self.thorough = part, options.jobs, options.thorough
        self.mutants = part.mutants()
        self.chosen = [mutant for mutant in self.mutants if chosen(mutant["file"])]
        self.sources = verdicts.Sources(part)
        self.results = verdicts.Results(part, self.mutants, self.sources, options.fresh)
        self.runner = asking.Runner()
        self.reasons = verdicts.reasons(verdicts.REASONS_FILE.read_text())

    def go(self):
        """Finds all verdicts that are open."""
        self.plant()
        survivors = self.ask_planted()
        self.ask_alone()
        # The part with the least result for its time comes last.
        self.ask_others(survivors)

    def each(self, function, items):
        """Calls a function for each item, in `jobs` threads; an interrupt ends their processes."""
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            calls = [pool.submit(function, item) for item in items]
            try:
                for call in concurrent.futures.as_completed(calls):
                    call.result()
            except BaseException:
                self.runner.stop()
                pool.shutdown(cancel_futures=True)
                raise

    def progress(self, what, items):
        return asking.Progress(what, len(items), sys.stdout.isatty())

    def plant(self):
        """Plants and builds all mutants; records those that each test reaches. All tests must pass without any."""
        known = OUT / f"{self.part.name}.json"
        facts = json.loads(known.read_text()) if known.exists() else {}
        same = facts.get("all") == self.sources.all
        dropped = facts["dropped"] if facts.get("sources") == self.sources.sources else {}
        self.dropped = {int(number): anywhere for number, anywhere in dropped.items()}
        say(f"planting all mutants of {', '.join(self.part.packages)} in a copy of the sources")
        planted = Planted(self.part)
        told = planted.plant(self.mutants, self.dropped)
        for mutant in self.chosen:
            if self.dropped.get(mutant["id"]) and not self.results.still_holds(mutant):
                self.results.add(mutant, "unviable")
        self.planted, self.in_const_fn = set(told["planted"]), set(told["in_const_fn"])
        say(f"{len(self.planted)} are planted; building the tests (some minutes)")
        self.programs = {}
        for tests in self.part.tests:
            programs, built = tests.build(planted)
            if not programs:
                raise Failed(f"the planted sources do not build:\n{said(built)}")
            self.programs |= programs
        if graded.PROGRAM in self.programs:
            self.programs[graded.PROGRAM] = graded.copies(planted.folder, self.jobs)
        self.reached, self.seconds = (facts["reached"], facts["seconds"]) if same else ({}, {})
        self.run_without(known)
        self.asker = asking.Asker(self.runner, self.seconds, self.reached, self.results.caught())

    def run_without(self, known):
        """Runs the tests that have not run without a mutant yet. Keeps the facts, even if one fails or is interrupted."""
        tests = [test for test in asking.names_of(self.programs, self.runner) if test not in self.seconds]
        progress = self.progress("tests without a mutant", tests)
        try:
            self.each(lambda test: self.baseline(test, progress), tests)
        finally:
            facts = {"all": self.sources.all, "sources": self.sources.sources, "dropped": self.dropped,
                     "reached": self.reached, "seconds": self.seconds}
            known.write_text(json.dumps(facts))

    def baseline(self, test, progress):
        """Runs a test without a mutant, and records the mutants that it reaches and its time."""
        name, test_name = asking.split(test)
        program = self.programs[name]
        recorded, reached = program.record(self.runner, test_name, 600)
        runs = [recorded]
        if program.batches:
            # On the host recording takes time, compared with a test. A machine takes longer anyway.
            runs.append(program.run(self.runner, [test_name], 600, program.none))
        for outcome in runs:
            if outcome.verdict != "passed":
                raise Failed(f"{test} fails without any mutant ({outcome.verdict}):\n{outcome.output}")
        self.reached[test], self.seconds[test] = reached, runs[-1].seconds
        progress.add("passed")

    def ask_planted(self):
        """Runs a few tests on each planted mutant, which catch nearly all that can be caught. Returns
        those that survive, with the tests that are left.
        """
        reaching = {id: [] for id in self.planted}
        for test, ids in self.reached.items():
            for id in ids:
                reaching.get(id, []).append(test)
        todo = []
        for mutant in self.chosen:
            tests = reaching.get(mutant["id"])
            # These tests cannot reach mutants in functions that only the compiler calls.
            if tests is not None and (tests or mutant["id"] not in self.in_const_fn):
                todo += self.open(mutant, tests)
        progress, survivors = self.progress("planted mutants", todo), []

        def ask(item):
            mutant, tests = item
            likeliest = self.asker.likeliest(mutant, tests, self.programs, self.hint(mutant))
            outcome, by = self.asker.ask_each(mutant, likeliest, self.programs, mutant["id"])
            progress.add(outcome)
            # A mutant that the compiler also calls is a survivor only if it survives when built by itself.
            if outcome != "missed" or mutant["id"] not in self.in_const_fn:
                self.results.add(mutant, outcome, by, likeliest)
                if outcome == "missed":
                    survivors.append((mutant, [test for test in tests if test not in likeliest]))

        self.each(ask, todo)
        return survivors

    def ask_others(self, survivors):
        """Runs all remaining tests on the planted mutants that have survived so far without a reason."""
        todo = [item for item in survivors if not self.has_reason(item[0])]
        progress = self.progress("survivors, by all other tests", todo)

        def ask(item):
            mutant, tests = item
            outcome, by = self.asker.ask_all(mutant, tests, self.programs, mutant["id"])
            progress.add(outcome)
            self.results.add(mutant, outcome, by, tests)

        self.each(ask, todo)

    def hint(self, mutant):
        """The tests that caught mutants of this plain name before."""
        return self.results.hints[verdicts.plain(mutant["name"])]

    def has_reason(self, mutant):
        """Whether docs/mutants.md has a reason why this mutant survives. If a plain name has more survivors than
        reasons, no reason counts.
        """
        name = verdicts.plain(mutant["name"])
        return not self.thorough and self.results.survivors[name] <= self.reasons[name] > 0

    def open(self, mutant, tests):
        """If a mutant's verdict is open: the mutant, and the tests that have not been run on it. A list
        of at most one.
        """
        result = self.results.still_holds(mutant)
        tests = self.results.unasked(mutant, tests)
        if result and (not tests or result["outcome"] == "missed" and self.has_reason(mutant)):
            return []
        return [(mutant, tests)]

    def ask_alone(self):
        """Builds the mutants that could not be planted, one by one, and runs the tests on each."""
        tests = list(self.seconds)
        todo = []
        for mutant in self.chosen:
            if mutant["id"] not in self.planted or mutant["id"] in self.in_const_fn:
                todo += self.open(mutant, tests)
        if not todo:
            return
        say(f"{len(todo)} mutants cannot be planted and are built one by one; first, the sources without any")
        copies = queue.SimpleQueue()
        for number in range(self.jobs):
            copies.put(self.first_build(Clean(number)))
        progress = self.progress("mutants one by one", todo)

        def ask(item):
            copy, (mutant, unasked) = copies.get(), item
            try:
                outcome, by, asked = self.ask_in(copy, mutant, unasked)
                self.results.add(mutant, outcome, by, asked)
                progress.add(outcome)
            finally:
                copies.put(copy)

        self.each(ask, todo)

    def first_build(self, copy):
        """Builds the parts that all mutants in this copy share."""
        for tests in self.part.tests:
            programs, built = tests.build(copy)
            if not programs:
                raise Failed(f"the sources do not build:\n{said(built)}")
        return copy

    def ask_in(self, copy, mutant, tests):
        """Tests a mutant in a copy of its own: first with the tests that build soonest, then with the others. If there is
        a reason why it survives, the likeliest are enough. Returns what ask_each does, and the tests that did not see it.
        """
        copy.put(mutant)
        has_reason, passed = self.has_reason(mutant), []
        # The last builds are the slowest; a reason stands for them.
        for stage in parts.stages(mutant)[:2 if has_reason else None]:
            programs, built = stage.build(copy)
            if not programs:
                # An interrupted compiler, or one that ran out of memory, gives no verdict.
                self.runner.check()
                if built.returncode < 0:
                    raise KeyboardInterrupt
                if not errors(built):
                    raise Failed(f"{mutant['name']}: the compiler failed:\n{said(built)}")
                return "unviable", None, ()
            here = set(asking.names_of(programs, self.runner)).intersection(tests)
            likeliest = self.asker.likeliest(mutant, here, programs, self.hint(mutant))
            outcome, by = self.asker.ask_each(mutant, likeliest, programs)
            if outcome == "missed" and not has_reason:
                outcome, by = self.asker.ask_all(mutant, here.difference(likeliest), programs)
            if outcome != "missed":
                return outcome, by, ()
            passed += likeliest
        return "missed", None, passed if has_reason else tests


def say(what):
    print(f"mutants: {what}", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-f", "--file", action="append", default=[], metavar="FILE",
                        help="only the mutants in this file or folder; may be given again")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count(), metavar="N",
                        help="so many at a time (default: a processor each, here %(default)s)")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs have found")
    parser.add_argument("--thorough", action="store_true",
                        help="ask all tests about survivors that have a reason, too: is it still true?")
    parser.add_argument("--table", action="store_true",
                        help="run nothing; print what is known of these sources")
    options = parser.parse_args()
    if options.jobs < 1:
        parser.error("--jobs: at least one")
    # As Ctrl-C: nothing that was started stays behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    OUT.mkdir(parents=True, exist_ok=True)
    lock = open(OUT / "lock", "w", encoding="utf-8")  # Held until this process ends.
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failed("another run is at work in obj/mutants") from None
    files = {os.path.relpath(os.path.abspath(file), ROOT) for file in options.file}

    def chosen(file):
        return not files or any(file == name or file.startswith(name + "/") for name in files)

    runs = [run for part in parts.PARTS if (run := Run(part, chosen, options)).chosen]
    if not runs:
        raise Failed(f"no mutants in {' '.join(options.file)}")
    began, all_well = time.monotonic(), True
    if not options.table:
        for run in runs:
            run.go()
    for run in runs:
        text, _ = verdicts.table(run.chosen, run.results)
        lines, well = verdicts.judge(run.part, run.chosen, run.results, run.reasons, not files)
        print(text, *lines, "", sep="\n")
        all_well = all_well and well
    say(f"{(time.monotonic() - began) / 60:.0f} minutes; {'all is well' if all_well else 'failed'}")
    return 0 if all_well else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failed:
        sys.exit(f"mutants: {failed}")
    except KeyboardInterrupt:
        sys.exit("mutants: interrupted; the next run goes on from here")
