"""Tests of tools/mutants: planting, the validity of results, and the report. The planter is in Rust, and has its
tests there.
"""

import doctest
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import asking
import calls
import copies
import faults
import graded
import images
import parts
import planted
import results
import run


def load_tests(_loader, tests, _pattern):
    for module in (calls, copies, images, results):
        tests.addTests(doctest.DocTestSuite(module))
    return tests


def mutant(place, text="replace - with + in f"):
    file = "libjos/src/a.rs"
    return {"id": 1, "name": f"{file}:{place}: {text}", "file": file, "package": "libjos"}


class FakeSources:
    sources = "s1"

    def __init__(self, **tests):
        self.tests = tests

    def of_test(self, test):
        return self.tests.get(test, "")


class TestCopiesOfImages(unittest.TestCase):
    def test_a_copy_has_each_built_file_that_a_machine_is_given(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(graded, "OUT", pathlib.Path(folder, "out")):
            built, obj = pathlib.Path(folder, "built"), graded.built.OBJ
            machines = [tests[0].machine for tests in graded.MACHINES.values()]
            given = [word for machine in machines for word in machine.options if word.startswith(f"{obj}/")]
            self.assertTrue(given)
            for path in (*given, *graded.grade.IMAGES.values(), graded.built.FACTS):
                (built / path).parent.mkdir(parents=True, exist_ok=True)
                (built / path).touch()
            graded.OUT.mkdir()
            graded.copies(built, 2)
            for copy in ("images-0", "images-1"):
                self.assertEqual([path for path in given if not (graded.OUT / copy / path).exists()], [])


class TestResults(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        patch = mock.patch.object(results, "OUT", pathlib.Path(folder.name))
        patch.start()
        self.addCleanup(patch.stop)

    def open(self, sources, fresh=False):
        opened = results.Results(parts.LIBRARY, [mutant("1:1"), mutant("2:1")], sources, fresh)
        self.addCleanup(opened.file.close)
        return opened

    def test_a_later_run_goes_on(self):
        first = self.open(FakeSources(t="1"))
        first.add(mutant("1:1"), "caught", "t")
        first.file.write('{"name": "half a li')
        first.file.flush()
        self.assertEqual(self.open(FakeSources(t="1")).outcome(mutant("1:1")), "caught")
        self.assertEqual(self.open(FakeSources(t="1"), fresh=True).outcome(mutant("1:1")), "not run")

    def test_other_sources_ask_again(self):
        self.open(FakeSources()).add(mutant("1:1"), "unviable")
        sources = FakeSources()
        sources.sources = "s2"
        self.assertEqual(self.open(sources).outcome(mutant("1:1")), "not run")

    def test_a_changed_test_is_asked_again_about_what_it_caught(self):
        self.open(FakeSources(t="1", u="1")).add(mutant("1:1"), "caught", "t")
        self.assertEqual(self.open(FakeSources(t="2", u="1")).unasked(mutant("1:1"), ["t", "u"]), ["t", "u"])
        self.assertEqual(self.open(FakeSources(t="1", u="2")).unasked(mutant("1:1"), ["t", "u"]), [])

    def test_new_and_changed_tests_alone_are_asked_about_a_survivor(self):
        self.open(FakeSources(t="1", u="1")).add(mutant("1:1"), "missed", passed=["t", "u"])
        later = self.open(FakeSources(t="1", u="2", v="1"))
        self.assertEqual(later.unasked(mutant("1:1"), ["t", "u", "v"]), ["u", "v"])

    def test_a_hint_outlives_the_lines(self):
        self.open(FakeSources()).add(mutant("1:1"), "caught", "t")
        self.open(FakeSources()).add(mutant("2:1"), "caught", "u")
        self.assertEqual(self.open(FakeSources()).hints[results.plain(mutant("9:9")["name"])], {"t", "u"})

    def test_a_hint_outlives_an_interrupted_run(self):
        sources = FakeSources()
        self.open(sources).add(mutant("1:1"), "caught", "t")
        for version in ("s2", "s3"):
            sources.sources = version
            self.open(sources).add(mutant("1:1"), "missed", passed=["u"])
        self.assertEqual(self.open(sources).hints[results.plain(mutant("1:1")["name"])], {"t"})

    def test_what_caught_older_mutants_is_known(self):
        self.open(FakeSources()).add(mutant("7:1"), "caught", "t")
        self.open(FakeSources()).add(mutant("8:1"), "missed")
        self.assertEqual(self.open(FakeSources()).caught(), [("libjos/src/a.rs", "t")])

    def test_a_reason_for_one_is_none_for_two(self):
        self.open(FakeSources()).add(mutant("1:1"), "missed")
        asked = run.Run.__new__(run.Run)
        asked.results, asked.thorough = self.open(FakeSources()), False
        asked.reasons = results.collections.Counter({results.plain(mutant("1:1")["name"]): 1})
        self.assertTrue(asked.has_reason(mutant("1:1")))
        self.assertFalse(asked.has_reason(mutant("1:1", "replace - with * in f")))
        asked.results.add(mutant("2:1"), "missed")
        self.assertFalse(asked.has_reason(mutant("1:1")))
        asked.results.add(mutant("2:1"), "caught", "t")
        self.assertTrue(asked.has_reason(mutant("1:1")))
        asked.thorough = True
        self.assertFalse(asked.has_reason(mutant("1:1")))

    def test_a_reason_that_counts_no_longer_leaves_tests_to_ask(self):
        """The likeliest alone have passed then, and if another mutant takes the reason, the others are asked."""
        for reasons, passed in ((1, ["t"]), (0, ["t", "u"])):
            asked = run.Run.__new__(run.Run)
            asked.results, asked.thorough = self.open(FakeSources()), False
            asked.reasons = results.collections.Counter({results.plain(mutant("1:1")["name"]): reasons})
            asked.asker = mock.Mock(**{"likeliest.return_value": ["t"], "ask_each.return_value": ("missed", None),
                                       "ask_all.return_value": ("missed", None)})
            asked.runner = None
            stage = mock.Mock(**{"build.return_value": ({"p": 1}, None)})
            with mock.patch.object(parts, "stages", return_value=[stage]), \
                    mock.patch.object(asking, "names_of", return_value=["t", "u"]):
                self.assertEqual(asked.ask_in(mock.Mock(), mutant("1:1"), ["t", "u"]), ("missed", None, passed))


class TestBaseline(unittest.TestCase):
    def test_tests_that_have_run_without_a_mutant_do_not_run_again(self):
        bad, ran = {"b"}, []

        def record(_runner, name, _limit):
            ran.append(name)
            return asking.Outcome("caught" if name in bad else "passed", 1), [7]

        program = mock.Mock(batches=False, record=record, names=lambda _runner: ["a", "b"])
        going = run.Run.__new__(run.Run)
        going.programs, going.runner, going.jobs = {"p": program}, asking.Runner(), 1
        going.sources, going.dropped = mock.Mock(all="a", sources="s"), {}
        going.reached, going.seconds = {}, {}
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(going, "progress"):
            known = pathlib.Path(folder, "known")
            with self.assertRaises(copies.Failed):
                going.run_without(known)
            self.assertEqual(json.loads(known.read_text())["reached"], {"p a": [7]})
            bad.clear()
            going.runner = asking.Runner()
            going.run_without(known)
            self.assertEqual(json.loads(known.read_text())["seconds"], {"p a": 1, "p b": 1})
        self.assertEqual(ran, ["a", "b", "b"])


class FakeResults:
    def __init__(self, **outcomes):
        self.outcomes = outcomes

    def outcome(self, mutant):
        return self.outcomes[mutant["name"].split(":")[1]]


class TestJudge(unittest.TestCase):
    REASON = results.REASONS_BEGIN + "\n\n| libjos/src/a.rs | `replace - with + in f` | why |\n"

    def judge(self, reasons, whole=False, **outcomes):
        outcomes = {place.strip("_"): outcome.replace("_", " ") for place, outcome in outcomes.items()}
        mutants = [mutant(f"{place}:1") for place in outcomes]
        return results.judge(parts.LIBRARY, mutants, FakeResults(**outcomes), results.reasons(reasons), whole)

    def test_all_caught(self):
        self.assertEqual(self.judge("", _1="caught", _2="timeout", _3="unviable"), ([], True))

    def test_a_survivor_without_reason_is_named(self):
        lines, well = self.judge("", _1="missed")
        self.assertFalse(well)
        self.assertIn("  libjos/src/a.rs:1:1: replace - with + in f", lines)

    def test_a_survivor_with_a_reason(self):
        self.assertEqual(self.judge(self.REASON, _1="missed"), ([], True))

    def test_one_reason_does_not_do_for_two(self):
        lines, well = self.judge(self.REASON, _1="missed", _2="missed")
        self.assertFalse(well)
        self.assertIn("  libjos/src/a.rs:2:1: replace - with + in f (1 of these 2 has one)", lines)
        self.assertTrue(self.judge(self.REASON.replace("` |", "` (2) |"), _1="missed", _2="missed")[1])

    def test_a_reason_without_its_survivor_is_told(self):
        lines, well = self.judge(self.REASON, _1="caught")
        self.assertTrue(well)
        self.assertIn("  libjos/src/a.rs: replace - with + in f", lines)

    def test_what_was_not_run_is_not_well(self):
        self.assertEqual(self.judge("", _1="not_run"), (["1 mutants were not run."], False))
        self.assertEqual(self.judge(self.REASON, _1="not_run"), (["1 mutants were not run."], False))

    def test_the_whole_needs_its_share(self):
        outcomes = {f"_{place}": "caught" for place in range(2, 20)} | {"_1": "missed"}
        self.assertFalse(self.judge(self.REASON, whole=True, **outcomes)[1])
        self.assertTrue(self.judge(self.REASON, whole=True, **outcomes, _20="caught")[1])

    def test_a_row_that_is_not_understood_is_an_error(self):
        with self.assertRaises(copies.Failed):
            results.reasons(results.REASONS_BEGIN + "\n| a.rs | replace - with + | why |\n")

    def test_each_reason_is_of_code_that_there_is(self):
        for name in results.reasons(results.REASONS_FILE.read_text()):
            file, _, mutant = name.partition(": ")
            self.assertTrue((results.ROOT / file).is_file(), name)
            function = re.search(r" in (?:.*::)?(\w+)$", mutant)
            if function:
                self.assertIn(f"fn {function[1]}", (results.ROOT / file).read_text(), name)

    def test_table(self):
        mutants = [mutant(f"{place}:1") for place in (1, 2, 3)]
        text, share = results.table(mutants, FakeResults(**{"1": "caught", "2": "missed", "3": "unviable"}))
        self.assertEqual(text.splitlines()[-1], "| all | 3 | 1 | 1 | 0 | 1 | 0 | 50.0 % |")
        self.assertEqual(share, 0.5)


class TestImages(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.image = pathlib.Path(folder.name, "image")

    def test_the_number_stands_behind_the_marker(self):
        self.image.write_bytes(b"a" * 5000 + images.MARKER + b"....b")
        images.patch(self.image, 0x1234)
        self.assertEqual(self.image.read_bytes(), b"a" * 5000 + images.MARKER + b"\x34\x12\0\0b")

    def test_a_file_with_no_switch_or_two_is_refused(self):
        for content in (b"a", images.MARKER + b"...." + images.MARKER + b"...."):
            self.image.write_bytes(content)
            with self.assertRaises(images.NoSwitch):
                images.patch(self.image, 1)

    def test_the_switch_in_rust_says_the_same(self):
        switch = copies.ROOT / "tools/mutants/switch/src"
        text = (switch / "image.rs").read_text()
        self.assertIn(repr(images.MARKER)[1:].replace("'", '"'), text)
        self.assertIn(f"0x{images.PORT:X};", text)
        text = (switch / "lib.rs").read_text()
        for name, value in (("NONE", images.NONE), ("RECORD", images.RECORD)):
            below = re.search(rf"const {name}: u32 = u32::MAX(?: - (\d+))?;", text)[1] or 0
            self.assertEqual(2**32 - 1 - int(below), value)


class TestFaults(unittest.TestCase):
    def test_the_list_fits_the_sources(self):
        listed = faults.listed()
        self.assertGreaterEqual(len(listed), 30)
        self.assertEqual(len({fault["name"] for fault in listed}), len(listed))
        for fault in listed:
            before = (copies.ROOT / fault["file"]).read_text()
            self.assertNotEqual(copies.apply(fault["diff"], before), before)
            self.assertTrue(parts.KERNEL.has(fault["file"]))

    def test_a_stale_fault_is_an_error(self):
        for old in ("not there", "KERNBASE"):
            with self.assertRaises(copies.Failed):
                faults.as_mutant("linker.ld", old, "")


class TestCalls(unittest.TestCase):
    def test_fences_and_flushes_are_found(self):
        names = [mutant["name"] for mutant in calls.listed()]
        for call in ("made_valid", "flush_tlb", "invlpg"):
            self.assertTrue(any(f"machine.{call}(" in name for name in names), call)
        for mutant in calls.listed():
            before = (copies.ROOT / mutant["file"]).read_text()
            lines = before.splitlines(keepends=True)
            del lines[mutant["span"]["start"]["line"] - 1]
            self.assertEqual(copies.apply(mutant["diff"], before), "".join(lines))


class TestGraded(unittest.TestCase):
    def test_what_is_left_out_exists(self):
        titles = {test.title for test in graded.grade.TESTS}
        self.assertEqual(set(graded.LEFT_OUT) - titles, set())

    def test_the_machine_is_one_whatever_the_environment_names(self):
        code = "import graded; print(graded.grade.ARCH.name, *graded.grade.IMAGES.values())"
        told = subprocess.run([sys.executable, "-c", code], cwd=pathlib.Path(__file__).parent, check=True, text=True,
                              env=os.environ | {"ARCH": "i386"}, capture_output=True).stdout.split()
        self.assertEqual(told[0], graded.ARCH)
        self.assertFalse([image for image in told if "i386" in image])

    def test_each_test_has_its_file(self):
        self.assertEqual(graded.files("memory: 3M, which no test has"), [])
        self.assertIn("tools/grade/boottests.py", graded.files("memory: 16M"))
        for name in graded.MACHINES:
            self.assertTrue(graded.files(name), name)

    def test_a_failure_counts_if_it_comes_twice(self):
        good, bad = asking.Outcome("passed", 1), asking.Outcome("caught", 1, "t", "why")
        for runs, verdict in (([good], "passed"), ([bad, good], "passed"), ([bad, bad], "caught")):
            program = graded.Program([], graded.IMAGES)
            with mock.patch.object(program, "once", side_effect=runs):
                self.assertEqual(program.run(asking.Runner(), ["t"], 5, 7).verdict, verdict)

    def test_a_file_of_tests_is_a_test_of_its_own(self):
        sources = results.Sources(parts.KERNEL)
        tests = ["grade memory: 16M", "grade state: PVH", "image test_image", "boot info::tests::a", "boot/corpus a"]
        self.assertEqual(len({sources.of_test(test) for test in tests}), len(tests))


class TestCopies(unittest.TestCase):
    def test_a_diff_that_does_not_fit_is_an_error(self):
        with self.assertRaises(copies.Failed):
            copies.apply("--- a\n+++ b\n@@ -1,1 +1,1 @@\n-2\n+3\n", "1\n")

    def test_the_mutant_before_the_error_is_blamed(self):
        with tempfile.TemporaryDirectory() as folder:
            text = "if ::mutant::is(3u32) { a } else if ::mutant::is(4u32) { b }"
            (pathlib.Path(folder) / "a.rs").write_text(text)
            copy = planted.Planted(parts.KERNEL)
            copy.folder = pathlib.Path(folder)
            errors = [{"code": {"code": code}, "spans": [
                {"file_name": "a.rs", "is_primary": True, "expansion": None, "byte_start": text.index(at)}]}
                for at, code in (("a }", "E0277"), ("b }", "E0308"))]
            blamed = copy.blamed(errors)
            self.assertEqual(blamed, {3: {"E0277"}, 4: {"E0308"}})


class TestSources(unittest.TestCase):
    def test_what_tests_see_alone_is_no_source(self):
        for file in ("tests/engine/model.rs", "src/mem/kaddr/tests.rs", "src/check/tests.rs",
                     "src/check/tests/formats.rs"):
            self.assertEqual(results.Sources.halves(results.ROOT / "libjos" / file)[0], b"")
        source, tests = results.Sources.halves(results.ROOT / "layout/src/memlayout.rs")
        self.assertIn(b"PHYSMAP", source)
        self.assertNotIn(b"#[test]", source)
        self.assertIn(b"#[test]", tests)

    def test_each_test_has_its_files(self):
        sources = results.Sources(parts.LIBRARY)
        tests = ["libjos mem::kaddr::tests::a", "monitor explain::tests::a", "libjos mem::pages::tests::a",
                 "libjos check::tests::a", "libjos/model a", "layout tests::a"]
        self.assertEqual(len({sources.of_test(test) for test in tests}), len(tests))
        self.assertEqual(sources.of_test("libjos/model a"), sources.of_test("libjos/spaces a"))


if __name__ == "__main__":
    unittest.main()
