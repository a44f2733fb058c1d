# What gdb is told before it connects, by .gdbinit and by .vscode/launch.json alike.
set confirm off
set pagination off

# QEMU shows the registers of a 64-bit processor whatever mode that is in. gdb has to know before it
# connects, or it stops at the first answer ("Remote 'g' packet reply is too long").
set architecture i386:x86-64

# `pages` is larger than what gdb shows by default; a few of its elements are enough.
set max-value-size unlimited
set print elements 16

# The commands of `help jos`.
source tools/gdb/jos.py

define hook-stop
  python from josgdb import stops; stops.leave_inlined()
end
