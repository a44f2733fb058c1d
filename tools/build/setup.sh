#!/bin/sh
# setup.sh GROUP...: install the missing programs of the groups. If nothing is missing, prints nothing and takes well
# under 0.2 s, so that every target of the Makefile can run it first.
#
# Programs come from apt-get on Debian and Ubuntu; parts of the Rust toolchain from rustup, if it is installed. On other
# systems, and if an installation fails, it says what to install and ends with 1.
set -eu
cd "$(dirname "$0")/../.."

# The oldest Rust 1.x that builds this workspace: rust-version in Cargo.toml.
oldest_rust=91
target=${RUST_TARGET:-x86_64-unknown-none}

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
on_debian() { have apt-get && have dpkg; }
have_rustup() { have rustup && rustup --version >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >&2
}

# install_debian PACKAGE...: install with apt-get, and try again with new package lists if that fails.
install_debian() {
    [ "$(id -u)" = 0 ] || have sudo || die "please run as root: apt-get install $*"
    say "installing $* (apt-get)"
    # --no-remove: Debian has several packages that provide rustc and cargo (rustc, rustc-web, rustup) and
    # conflict with one another. Better to stop than to take away a toolchain that somebody uses.
    set -- install -y --no-install-recommends --no-remove "$@"
    # A fresh container has no lists.
    if ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 && apt "$@"; then return; fi
    apt update || die "apt-get update failed"
    apt "$@" || beside_qemu_utils "$@" || die "apt-get $* failed"
}

# beside_qemu_utils install ...: try again together with this release's qemu-utils. The version of another release (from
# backports, say) may conflict with this release's QEMU, and nothing else needs it.
beside_qemu_utils() {
    case " $* " in *" qemu-system-x86 "*) ;; *) return 1 ;; esac
    has=$(dpkg-query -W -f '${Version}' qemu-utils 2>/dev/null) && [ -n "$has" ] || return 1
    version=$(apt-cache policy qemu-system-x86 | sed -n 's/^ *Candidate: //p')
    [ "$has" != "$version" ] && [ -z "$(apt-cache rdepends --installed qemu-utils | sed 1,2d)" ] || return 1
    say "qemu-utils $has does not go with QEMU $version: taking qemu-utils $version"
    apt "$@" --allow-downgrades "qemu-utils=$version"
}

# need PROGRAM PACKAGE...: if the program (or the file, if it begins with /) is missing, note the Debian packages that
# contain it. install_needed installs the noted packages.
missing=
packages=
need() {
    program=$1
    shift
    case $program in
    /*) [ -e "$program" ] ;;
    *) have "$program" ;;
    esac && return
    missing="$missing${missing:+, }$program"
    packages="$packages $*"
}
install_needed() {
    [ -n "$missing" ] || return 0
    on_debian || die "please install $missing (on Debian they are in:$packages)"
    # shellcheck disable=SC2086 # a list of words
    install_debian $packages
    missing= packages=
}

# --- The Rust toolchain ---------------------------------------------------------------------------------

# Debian's own Rust, which security updates keep up to date for its browsers.
debian_rust() {
    on_debian && [ -n "$(apt-cache madison rustc-web 2>/dev/null)" ]
}

# A cargo and rustc that are new enough, and a C compiler, which links the host's programs.
setup_rust() {
    [ -n "${rust_is_ready-}" ] && return
    rust_is_ready=1
    need cc gcc libc6-dev
    if ! have cargo || ! have rustc; then
        if have_rustup; then
            say "installing the stable Rust toolchain (rustup)"
            rustup toolchain install stable --profile minimal >&2 || die "rustup toolchain install stable failed"
            return
        fi
        if on_debian && ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then apt update || true; fi
        debian_rust || die "there is no Rust: install it from https://rustup.rs, then run this again"
        install_debian rustc-web cargo-web rust-web-src lld
        hash -r
    fi
    version=$(rustc --version) || die "rustc does not run: rustc --version failed"
    minor=$(echo "$version" | sed -nE 's/^rustc 1\.([0-9]+)\..*/\1/p')
    [ "${minor:-0}" -ge $oldest_rust ] ||
        die "$version is too old, Rust 1.$oldest_rust is needed: rustup update stable (see https://rustup.rs)"
}

# The libraries of the kernel's target: prebuilt, or their source.
setup_target() {
    setup_rust
    case $(tools/build/kcargo --way) in
    prebuilt) return ;;
    source | debian)
        tools/build/kcargo --has-linker || need ld.lld lld
        return
        ;;
    esac
    if have_rustup; then
        say "adding the target $target (rustup)"
        rustup target add $target >&2 && return
        say "adding the source of the Rust library instead (rustup)"
        rustup component add rust-src >&2 && return
    fi
    debian_rust || die "please give your Rust toolchain the target $target (rustup target add $target)"
    # This does not conflict with rustup: its toolchain in the user's home stays first in PATH, and kcargo uses Debian's
    # only for the kernel.
    install_debian rustc-web cargo-web rust-web-src lld
    [ "$(tools/build/kcargo --way)" != none ] || die "Debian's rustc-web cannot build for $target"
}

# The libraries of a host with 32 bits, Rust's and C's, to run the host tests with 32 bits.
setup_host32() {
    setup_rust
    libdir=$(rustc --print target-libdir --target i686-unknown-linux-gnu)
    if ! ls "$libdir"/libstd-*.rlib >/dev/null 2>&1; then
        # Debian's rustc-web has no such library that fits it.
        have_rustup || die "the host tests with 32 bits need rustup (https://rustup.rs)"
        say "adding the target i686-unknown-linux-gnu (rustup)"
        rustup target add i686-unknown-linux-gnu >&2 || die "rustup target add i686-unknown-linux-gnu failed"
    fi
    # The C compiler, not a file, since GCC's version is in its path.
    printf 'int main(void) { return 0; }' | cc -m32 -x c -o /dev/null - 2>/dev/null || {
        missing="$missing${missing:+, }the C library for 32 bits"
        packages="$packages gcc-multilib"
    }
}

# setup_component NAME PROGRAM PACKAGE: a part of the toolchain that adds a program to cargo.
setup_component() {
    setup_rust
    have "$2" && "$2" --version >/dev/null 2>&1 && return
    if have_rustup; then
        say "adding $1 (rustup)"
        rustup component add "$1" >&2 && return
        die "rustup component add $1 failed"
    fi
    case $(command -v rustc) in
    /usr/bin/*) install_debian "$3" ;;
    *) die "please give your Rust toolchain the component $1" ;;
    esac
}

# setup_nightly WHAT: the nightly toolchain, which WHAT needs.
setup_nightly() {
    have_rustup || die "$1 needs rustup (https://rustup.rs) and a nightly toolchain"
    cargo +nightly --version >/dev/null 2>&1 && return
    say "installing the nightly Rust toolchain (rustup)"
    rustup toolchain install nightly --profile minimal >&2 || die "rustup toolchain install nightly failed"
}

setup_miri() {
    setup_nightly Miri
    cargo +nightly miri --version >/dev/null 2>&1 && return
    say "adding miri and rust-src to the nightly toolchain (rustup)"
    rustup component add --toolchain nightly miri rust-src >&2 || die "rustup cannot add miri"
}

# setup_cargo_program NAME: a cargo program from crates.io, in the user's own cargo folder.
setup_cargo_program() {
    setup_rust
    have "$1" && return
    install_needed # a linker, to build it with
    say "installing $1 (cargo install)"
    cargo install --quiet --locked "$1" >&2 || die "cargo install $1 failed"
    have "$1" || die "$1 is installed, but not in PATH: add cargo's folder for programs (~/.cargo/bin)"
}

# --- The groups -----------------------------------------------------------------------------------------

for group in "$@"; do
    case $group in
    host) setup_rust ;;
    host32) setup_host32 ;;
    build)
        setup_target
        case ${ARCH:-} in
        riscv64) need riscv64-linux-gnu-objdump binutils-riscv64-linux-gnu ;;
        *) need objdump binutils ;;
        esac
        need python3 python3
        ;;
    fmt) setup_component rustfmt cargo-fmt rustfmt-web ;;
    clippy) setup_component clippy cargo-clippy rust-web-clippy ;;
    miri) setup_miri ;;
    fuzz)
        setup_nightly cargo-fuzz
        setup_cargo_program cargo-fuzz
        need c++ g++ # libFuzzer comes as source
        ;;
    mutants) setup_cargo_program cargo-mutants ;;
    iso)
        need grub-mkrescue grub-common
        need /usr/lib/grub/i386-pc grub-pc-bin
        need /usr/lib/grub/x86_64-efi grub-efi-amd64-bin
        need xorriso xorriso
        need mformat mtools
        ;;
    qemu)
        # Only the default QEMU is installed; a QEMU that the user names is left to the user.
        qemu=qemu-system-${ARCH:-x86_64}
        case $qemu in *riscv*) package=qemu-system-misc ;; *) package=qemu-system-x86 ;; esac
        [ "${QEMU:-$qemu}" != "$qemu" ] || need "$qemu" $package
        ;;
    bare) need debootstrap debootstrap ;;
    uefi) need "${OVMF:-/usr/share/OVMF/OVMF_CODE_4M.fd}" ovmf ;;
    window)
        # Debian has QEMU's window in a package of its own.
        for gtk in /usr/lib/*/qemu/ui-gtk.so; do :; done
        if on_debian; then need "$gtk" qemu-system-gui; fi
        ;;
    gdb)
        # Debian's gdb knows PCs alone.
        case ${ARCH:-} in
        riscv64) need gdb-multiarch gdb-multiarch ;;
        *) have gdb-multiarch || need gdb gdb ;;
        esac
        ;;
    browser)
        have google-chrome || have chromium-browser || need chromium chromium
        need chromedriver chromium-driver
        ;;
    screenshots) need pngquant pngquant ;;
    *) die "unknown group $group" ;;
    esac
done

install_needed
