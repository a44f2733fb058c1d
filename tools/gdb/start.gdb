# What `make gdb` does once it is connected: from reset it runs to mem_init. A machine that has left reset
# stays where it is. The stop is at the function's first instruction, ahead of where `b mem_init` stops, so
# that who types `b mem_init` and `c`, as one does in JOS, gets there too.
if $cs == 0xf000 && $rip == 0xfff0
  tbreak *mem_init
  continue
end
