"""The grader's own tests of lab 2, which students do not get."""

from lab2.graded import sized

# The functions of libjos/src/lab2_tests/property.rs: (number, title, points).
HOST = ((1, "Frames, in random order", 10), (2, "Mappings, in random order", 15))

TESTS = [sized("13M", tag="hidden"), sized("231M", "q35", tag="hidden")]
