#!/usr/bin/env python3
"""Plant faults in layout and libjos, one at a time, and test whether a test catches each. `make mutants` runs this;
docs/mutants.md has the results, and a reason for each survivor that no test can catch.

cargo-mutants lists the mutants. Building the tests once per mutant would take a day. Instead, a copy of the sources
carries all mutants at once, each behind a switch that the environment variable MUTANT turns on; each test is run once
to record the mutants that it reaches; then the tests that reach a mutant are run with it, the likeliest first, up to
the first that fails. Mutants that cannot be planted (in constants, or if the rest would not compile) are built one by
one.

Results are kept in obj/mutants, so that an interrupted run continues where it stopped. A change of the sources
invalidates all results, a change of tests those that depend on them. The exit status is 0 only if at least 95 % of the
mutants that build are caught and every survivor has a reason.
"""

import argparse
import concurrent.futures
import fcntl
import json
import os
import queue
import sys
import threading
import time

import asking
import results as verdicts
from copies import OUT, ROOT, Clean, Failed, Planted, list_mutants, said


class Run:
    """One run over some mutants, `jobs` at a time."""

    def __init__(self, mutants, chosen, options):
        self.mutants, self.chosen, self.jobs = mutants, chosen, options.jobs
        self.sources = verdicts.Sources()
        self.results = verdicts.Results(mutants, self.sources, options.fresh)
        self.runner = asking.Runner()
        self.reasons, self.thorough = verdicts.reasons(verdicts.REASONS_FILE.read_text()), options.thorough

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
        """Plants and builds all mutants; records the mutants that each test reaches. All tests must pass without any."""
        known = OUT / "planted.json"
        facts = json.loads(known.read_text()) if known.exists() else {}
        same = facts.get("all") == self.sources.all
        dropped = facts["dropped"] if facts.get("sources") == self.sources.sources else {}
        self.dropped = {int(number): anywhere for number, anywhere in dropped.items()}
        say("planting all mutants in a copy of the sources")
        planted = Planted()
        told = planted.plant(self.mutants, self.dropped)
        for mutant in self.chosen:
            if self.dropped.get(mutant["id"]) and not self.results.still_holds(mutant):
                self.results.add(mutant, "unviable")
        self.planted, self.in_const_fn = set(told["planted"]), set(told["in_const_fn"])
        say(f"{len(self.planted)} are planted; building the tests (some minutes)")
        self.programs, built = planted.build("--package=jos-layout", "--package=libjos", "--lib", "--tests")
        if not self.programs:
            raise Failed(f"the planted sources do not build:\n{said(built)}")
        if same:
            self.reached, self.seconds = facts["reached"], facts["seconds"]
        else:
            self.reached, self.seconds = {}, {}
            tests = asking.names_of(self.programs, self.runner)
            progress = self.progress("tests without a mutant", tests)
            self.each(lambda test: self.baseline(test, progress), tests)
        facts = {"all": self.sources.all, "sources": self.sources.sources, "dropped": self.dropped,
                 "reached": self.reached, "seconds": self.seconds}
        known.write_text(json.dumps(facts))
        self.asker = asking.Asker(self.runner, self.seconds)

    def baseline(self, test, progress):
        """Runs a test without a mutant, and records the mutants that it reaches and its time."""
        record = OUT / f"record-{threading.get_ident()}"
        program, name = asking.split(test)
        arguments = ["--exact", "--test-threads=1", name]
        # A second run for the time, since recording takes time too.
        for environment in ({"MUTANT_RECORD": str(record)}, {}):
            outcome, output, seconds = self.runner.run(self.programs[program], arguments, 600, environment)
            if outcome != "passed":
                raise Failed(f"{test} fails without any mutant ({outcome}):\n{output}")
        self.reached[test] = [int(line) for line in record.read_text().split()] if record.exists() else []
        record.unlink(missing_ok=True)
        self.seconds[test] = seconds
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
            likeliest = self.asker.likeliest(mutant, tests, self.hint(mutant))
            outcome, by = self.asker.ask_each(mutant, likeliest, self.programs, switch(mutant))
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
            outcome, by = self.asker.ask_all(mutant, tests, self.programs, switch(mutant))
            progress.add(outcome)
            self.results.add(mutant, outcome, by, tests)

        self.each(ask, todo)

    def hint(self, mutant):
        """The test that caught this mutant the last time."""
        return self.results.hints.get(verdicts.plain(mutant["name"]))

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
                outcome, by = self.ask_in(copy, mutant, unasked)
                self.results.add(mutant, outcome, by, unasked)
                progress.add(outcome)
            finally:
                copies.put(copy)

        self.each(ask, todo)

    @staticmethod
    def first_build(copy):
        """Builds the parts that all mutants in this copy share."""
        for stage in STAGES["layout"]:
            programs, built = copy.build(*stage)
            if not programs:
                raise Failed(f"the sources do not build:\n{said(built)}")
        return copy

    def ask_in(self, copy, mutant, tests):
        """Tests a mutant in a copy of its own: first with the tests that build soonest, then with the others."""
        copy.put(mutant)
        for stage in STAGES[mutant["package"]]:
            programs, built = copy.build(*stage)
            if not programs:
                # An interrupted compiler, or one that ran out of memory, gives no verdict.
                if built.returncode < 0 or self.runner.stopped:
                    raise KeyboardInterrupt
                if '"level":"error"' not in built.stdout:
                    raise Failed(f"{mutant['name']}: the compiler failed:\n{said(built)}")
                return "unviable", None
            here = [test for test in tests if asking.split(test)[0] in programs]
            likeliest = self.asker.likeliest(mutant, here, self.hint(mutant))
            outcome, by = self.asker.ask_each(mutant, likeliest, programs)
            if outcome == "missed" and not self.has_reason(mutant):
                left = [test for test in here if test not in likeliest]
                outcome, by = self.asker.ask_all(mutant, left, programs)
            if outcome != "missed":
                return outcome, by
        return "missed", None


# The builds for a mutant of a package, one after the other until a test catches it.
UNIT_TESTS = ["--package=libjos", "--lib"]
OTHER_TESTS = ["--package=libjos", "--test=*"]
STAGES = {"libjos": [UNIT_TESTS, OTHER_TESTS],
          "layout": [["--package=jos-layout", "--lib", "--test=*"], UNIT_TESTS, OTHER_TESTS]}


def switch(mutant):
    """The environment that turns a planted mutant on."""
    return {"MUTANT": str(mutant["id"])}


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
    OUT.mkdir(parents=True, exist_ok=True)
    lock = open(OUT / "lock", "w", encoding="utf-8")  # Held until this process ends.
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failed("another run is at work in obj/mutants") from None
    mutants = list_mutants()
    files = {os.path.relpath(os.path.abspath(file), ROOT) for file in options.file}
    chosen = [mutant for mutant in mutants if not files or any(
        mutant["file"] == file or mutant["file"].startswith(file + "/") for file in files)]
    if not chosen:
        raise Failed(f"no mutants in {' '.join(options.file)}")
    run = Run(mutants, chosen, options)
    began = time.monotonic()
    if not options.table:
        run.plant()
        survivors = run.ask_planted()
        run.ask_alone()
        # The part with the least result for its time comes last.
        run.ask_others(survivors)
    text, _ = verdicts.table(chosen, run.results)
    lines, well = verdicts.judge(chosen, run.results, run.reasons, not files)
    print(text, *lines, sep="\n")
    say(f"{(time.monotonic() - began) / 60:.0f} minutes; {'all is well' if well else 'failed'}")
    return 0 if well else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failed:
        sys.exit(f"mutants: {failed}")
    except KeyboardInterrupt:
        sys.exit("mutants: interrupted; the next run goes on from here")
