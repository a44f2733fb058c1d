#!/bin/sh
# The load under which traces/linux.trace was recorded, from the repository's root:
#
#   tools/schemes/record.py -o tools/schemes/traces/linux.trace \
#     --load "load.sh: C compiled; sources copied, archived, packed, their words counted" \
#     -- tools/schemes/load.sh
#
# Some processes are large and some small, and they end at different times; the files that they write stay, in
# obj/load. malloc asks for 2 MB pages, as it does where Linux is set to use them everywhere.
set -e
export GLIBC_TUNABLES=glibc.malloc.hugetlb=1
rm -rf obj/load
mkdir -p obj/load
cc -O2 -c tools/bench/c/pmap.c -o obj/load/pmap.o &
for of in docs kernel libjos; do
  cp -r $of obj/load
  (
    cd obj/load
    tar cf $of.tar $of
    xz -1k $of.tar &
    tr -cs a-z '\n' <$of.tar | sort | uniq -c >$of.words
    wait
    rm -r $of $of.tar
  ) &
done
wait
