#!/bin/sh
# Gradescope runs this once, as root, when it builds the autograder's image (Ubuntu or Debian): installs the tools, and builds
# all that no submission changes, so that grading needs no network.
set -eu

base=${AUTOGRADER_BASE:-/autograder}
source=$base/source

if [ -z "${AUTOGRADER_TOOLS_ARE_THERE-}" ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install -y --no-install-recommends qemu-system-x86 python3 build-essential binutils git curl ca-certificates
    if ! command -v cargo > /dev/null && ! [ -x "$HOME/.cargo/bin/cargo" ]; then
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal
    fi
    PATH=$HOME/.cargo/bin:$PATH
    rustup target add x86_64-unknown-none
fi

cp "$source/run_autograder" "$base/run_autograder"
chmod +x "$base/run_autograder"
"$base/run_autograder" --prepare
