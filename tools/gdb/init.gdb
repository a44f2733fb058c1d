# gdb's settings before it connects, for both .gdbinit and .vscode/launch.json.
set confirm off
set pagination off

# QEMU shows the registers of a 64-bit processor in every mode. gdb must know this before it connects, or it fails at the
# first answer ("Remote 'g' packet reply is too long").
set architecture i386:x86-64

# gdb refuses to show an array as large as `pages` by default; show a few of its elements.
set max-value-size unlimited
set print elements 16

# The commands of `help jos`.
source tools/gdb/jos.py

define hook-stop
  python from josgdb import stops; stops.leave_inlined()
end
