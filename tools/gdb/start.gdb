# What `make gdb` does once it is connected: from reset it runs to mem_init. A machine that has left reset
# stays where it is.
if $cs == 0xf000 && $rip == 0xfff0
  tbreak mem_init
  continue
end
