#!/bin/sh
# Makes the crates' packages for crates.io in obj/package/, and builds each from its package alone.
#
# `cargo package` can build them itself, but only once: it unpacks dependencies into the user's registry by name and
# version, and never again, so that `libjos` fails to build after a change in `jos-layout` without a new version. So this
# unpacks the packages into a workspace of their own.
set -eu
cd "$(dirname "$0")/../.."
dir=obj/package

rm -rf "$dir"
mkdir -p "$dir"
cargo package --quiet --allow-dirty --no-verify --all-features --target-dir "$dir/target" -p jos-layout -p libjos -p jos-monitor
{
    echo '[workspace]'
    echo 'resolver = "3"'
    echo 'members = ["jos-layout", "libjos", "jos-monitor"]'
    echo '[patch.crates-io]'
    echo 'jos-layout.path = "jos-layout"'
    echo 'libjos.path = "libjos"'
} > "$dir/Cargo.toml"
for crate in jos-layout libjos jos-monitor; do
    mv "$dir/target/package/$crate"-[0-9]*.crate "$dir/"
    mkdir "$dir/$crate"
    tar -xzf "$dir/$crate"-[0-9]*.crate -C "$dir/$crate" --strip-components=1
done
cargo build --quiet --all-features --manifest-path "$dir/Cargo.toml" --target-dir "$dir/target"
ls "$dir"/*.crate
