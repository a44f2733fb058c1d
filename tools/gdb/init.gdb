# gdb's settings before it connects, for both .gdbinit and .vscode/launch.json.
set confirm off
set pagination off

# gdb refuses to show an array as large as `pages` by default; show a few of its elements.
set max-value-size unlimited
set print elements 16

# On i386, Rust returns a struct of up to 8 bytes in registers. By default gdb would look for it in memory, where C's
# compilers for Linux put it.
set struct-convention reg

# The commands of `help jos`.
source tools/gdb/jos.py

define hook-stop
  python from josgdb import environments, stops; stops.leave_inlined(); environments.announce()
end
