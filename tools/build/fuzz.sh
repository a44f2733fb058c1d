#!/bin/sh
# fuzz.sh long SECONDS TARGET...: fuzz each target for SECONDS.
# fuzz.sh short RUNS TARGET...: run the corpus and then new inputs, RUNS in all, the same ones each time.
#
# A short run looks for panics alone: its targets are built all at once, without the address sanitizer and with little
# optimisation, in half the time. A long run keeps its inputs in obj/fuzz/TARGET, and the next one starts from them; the
# corpus in the tree is chosen by hand. A failing input is kept as obj/fuzz/TARGET-crash-...; copied to fuzz/corpus/TARGET
# it becomes a test that `cargo test` runs.
set -eu
cd "$(dirname "$0")/../.."
how=$1
amount=$2
shift 2
sanitizer=address
if [ "$how" = short ]; then
    sanitizer=none
    export CARGO_PROFILE_RELEASE_OPT_LEVEL=1
    mkdir -p obj/fuzz
    if ! cargo +nightly fuzz build --sanitizer none --fuzz-dir fuzz >obj/fuzz/build.log 2>&1; then
        tail -n 40 obj/fuzz/build.log
        exit 1
    fi
fi
for target in "$@"; do
    found=obj/fuzz/$target
    log=obj/fuzz/$target.log
    if [ "$how" = short ]; then
        found=obj/fuzz/short
        rm -rf $found
        set -- -runs="$amount" -seed=64
    else
        set -- -max_total_time="$amount"
    fi
    mkdir -p "$found"
    longest=2048
    [ "$target" != device_tree ] || longest=8192 # as QEMU's trees
    [ ! -e "fuzz/$target.dict" ] || set -- "$@" -dict="fuzz/$target.dict"
    echo "fuzzing $target, a $how run of $amount; its output: $log"
    if ! cargo +nightly fuzz run --sanitizer $sanitizer --fuzz-dir fuzz "$target" "$found" "fuzz/corpus/$target" -- \
        "$@" -max_len=$longest -rss_limit_mb=4096 -artifact_prefix="obj/fuzz/$target-" >"$log" 2>&1; then
        tail -n 40 "$log"
        exit 1
    fi
    grep '^Done' "$log"
done
