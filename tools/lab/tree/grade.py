#!/usr/bin/env python3
"""Grades the lab: `make grade`, or ./grade.py --help. `./grade.py --host` needs no QEMU."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "tools/lab/grading"))

import labgrade  # noqa: E402 (found by the line above)

if __name__ == "__main__":
    sys.exit(labgrade.main())
