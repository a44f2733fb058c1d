#!/bin/sh
# Gradescope runs this once, as root, when it builds the autograder's image (Ubuntu or Debian): installs the tools, and builds
# all that no submission changes, so that grading needs no network.
set -eu

base=${AUTOGRADER_BASE:-/autograder}
source=$base/source

if [ -z "${AUTOGRADER_TOOLS_ARE_THERE-}" ]; then
    export DEBIAN_FRONTEND=noninteractive PATH="$HOME/.cargo/bin:$PATH"
    apt-get update
    apt-get install -y --no-install-recommends python3 make ca-certificates
    # Debian has a Rust that is new enough, which the tree's own set-up installs.
    if ! command -v cargo > /dev/null && [ -z "$(apt-cache madison rustc-web)" ]; then
        apt-get install -y --no-install-recommends curl
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal
    fi
    chmod +x "$source/tree/tools/build/setup.sh" "$source/tree/tools/build/kcargo"
    ARCH=x86_64 "$source/tree/tools/build/setup.sh" host build qemu
fi

cp "$source/run_autograder" "$base/run_autograder"
chmod +x "$base/run_autograder"
"$base/run_autograder" --prepare
