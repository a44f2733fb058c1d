# The start of `make gdb`, after connecting or failing to. From reset it runs to mem_init, unless FROM=reset. A machine
# that has left reset stays where it is. The stop is at the function's first instruction, before the place where
# `b mem_init` stops, so that typing `b mem_init` and `c`, as in JOS, still stops there.
python
import os
from josgdb import machine
if not machine.connected():
    gdb.execute("quit 1")
if os.environ.get("FROM") != "reset" and machine.at_reset():
    gdb.execute("tbreak *mem_init")
    gdb.execute("continue")
end
