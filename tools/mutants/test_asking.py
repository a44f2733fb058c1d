"""Tests of tools/mutants/asking.py and hosttests.py: which tests are asked about a mutant, and their runs."""

import pathlib
import sys
import tempfile
import unittest
from unittest import mock

import asking
import hosttests
from test_mutants import mutant


class TestAsking(unittest.TestCase):
    """Tests with shell scripts that behave like test programs."""

    def ask(self, script, tests=("p one", "p two"), each=True, seconds=0.5):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "program"
            program.write_text("#!/bin/sh\n" + script)
            program.chmod(0o755)
            asker = asking.Asker(asking.Runner(), dict.fromkeys(tests, 0.01), {})
            ask = asker.ask_each if each else asker.ask_all
            with mock.patch.object(asking, "SECONDS", seconds):
                return ask(mutant("1:1"), list(tests), {"p": hosttests.Program(program, folder)}, 5)

    def test_missed(self):
        self.assertEqual(self.ask('[ "$MUTANT" = 5 ]'), ("missed", None))

    def test_no_test_at_all(self):
        self.assertEqual(self.ask("exit 1", ()), ("missed", None))

    def test_caught_by_the_second(self):
        self.assertEqual(self.ask('[ "$3" = one ]'), ("caught", "p two"))

    def test_a_batch_says_who_failed(self):
        script = 'echo "test one ... ok"; echo "test two ... FAILED"; exit 101'
        self.assertEqual(self.ask(script, each=False), ("caught", "p two"))

    def test_a_batch_that_crashes_is_the_last_that_began(self):
        script = 'echo "test one ... ok"; echo "test two ... "; kill -9 $$'
        self.assertEqual(self.ask(script, each=False), ("caught", "p two"))

    def test_what_never_ends_is_ended_with_all_that_it_started(self):
        with mock.patch.object(hosttests, "WAIT", 1):
            self.assertEqual(self.ask("sleep 1000 & sleep 1000; wait"), ("timeout", "p one"))

    def test_the_bound_counts_the_time_of_the_processor(self):
        self.assertEqual(self.ask("while :; do :; done"), ("timeout", "p one"))
        # Longer than the bound, by the clock.
        self.assertEqual(self.ask("sleep 2"), ("missed", None))

    def test_memory_is_bounded(self):
        hungry = f'exec {sys.executable} -c "bytearray(8 << 30)" 2>&1'
        self.assertEqual(self.ask(hungry, seconds=20)[0], "caught")

    def test_what_sees_much_in_little_time_is_asked_first(self):
        asker = asking.Asker(asking.Runner(), {"p slow": 5, "p quick": 0.1, "p sharp": 0.1}, {})
        for test, failed in (("p quick", 0), ("p sharp", 9)):
            asker.asked["libjos/src/a.rs", test] = 9
            asker.failed["libjos/src/a.rs", test] = failed
        programs = {"p": hosttests.Program("p", "/")}
        self.assertEqual(asker.likeliest(mutant("1:1"), asker.seconds, programs), ["p sharp", "p quick", "p slow"])
        self.assertEqual(asker.likeliest(mutant("1:1"), asker.seconds, programs, {"p slow"})[0], "p slow")

    def test_what_caught_mutants_of_this_file_before_is_asked_first(self):
        seconds = {"p one": 0.1, "p two": 0.1}
        asker = asking.Asker(asking.Runner(), seconds, {}, [("libjos/src/a.rs", "p two")] * 2)
        programs = {"p": hosttests.Program("p", "/")}
        self.assertEqual(asker.likeliest(mutant("1:1"), seconds, programs), ["p two", "p one"])

    def test_what_reaches_few_mutants_is_asked_first(self):
        seconds, reached = {"p one": 0.1, "p two": 0.1}, {"p one": range(2000), "p two": range(20)}
        asker = asking.Asker(asking.Runner(), seconds, reached)
        programs = {"p": hosttests.Program("p", "/")}
        self.assertEqual(asker.likeliest(mutant("1:1"), seconds, programs), ["p two", "p one"])

    def test_each_kind_of_test_has_its_likeliest(self):
        host, grade = hosttests.Program("p", "/"), mock.Mock(batches=False)
        seconds = {f"p {number}": 0.1 for number in range(30)} | {f"grade {number}": 1 for number in range(30)}
        asker = asking.Asker(asking.Runner(), seconds, {})
        chosen = asker.likeliest(mutant("1:1"), seconds, {"p": host, "grade": grade})
        self.assertEqual([test.split()[0] for test in chosen], ["p"] * 20 + ["grade"] * 10)

    def test_after_stop_nothing_runs(self):
        runner = asking.Runner()
        runner.stop()
        with self.assertRaises(KeyboardInterrupt):
            hosttests.Program("/bin/true", "/").run(runner, [], 5)
