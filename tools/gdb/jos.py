"""gdb's commands for JOS64: `help jos` lists them. .gdbinit sources this file (see init.gdb).

It only registers what is in the folder josgdb, of which the modules that import gdb talk to gdb, and the
others (facts, paging, pages, snapshot, fault) run anywhere and are tested by test_josgdb.py.
"""

import importlib
import sys
from pathlib import Path

HERE = str(Path(__file__).resolve().parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)

# Sourcing this file again reloads the current files.
for name in [name for name in sys.modules if name.partition(".")[0] == "josgdb"]:
    if name == "josgdb.stops":
        sys.modules[name].forget()
    del sys.modules[name]

for name in ("printers", "unwind", "stops", "command", "tables", "frames", "environments", "events", "steps"):
    importlib.import_module(f"josgdb.{name}").register()
