# JOS64's Makefile, with the targets and variables that JOS's users know; `make help` lists them.
#
# Every build asks cargo what is stale, and a file under obj/ is written only when its sources have changed.
# tools/build/setup.sh installs missing tools.

ARCH      ?= x86_64## the machine: x86_64, i386 or riscv64
QEMU      ?= qemu-system-$(ARCH)## the QEMU to run; if not given, qemu-system-ARCH
QEMUEXTRA ?=## more options for QEMU
CPUS      ?= 1## processors
MEM       ?= 256M## memory, as QEMU's -m takes it
APP       ?= monitor## what runs after mem_init: the monitor, or NAME for kernel/examples/NAME.rs
BOOT      ?= $(DEFAULT_BOOT)## how it boots: grub (an ISO image, BIOS), pvh (qemu -kernel), on x86_64 uefi (the ISO image); on riscv64 opensbi or bare (without firmware)
BOARD     ?= $(firstword $($(ARCH).boards))## the board as QEMU calls it: pc, q35, isapc or (with BOOT=pvh) microvm; on riscv64 virt
CMDLINE   ?=## the kernel's command line, for instance test=read-null; -- WORDS are the application's
OVMF      ?= /usr/share/OVMF/OVMF_CODE_4M.fd## UEFI firmware for QEMU
GDBPORT   ?= $(shell expr `id -u` % 5000 + 25000)## where QEMU waits for gdb
STEP      ?=## "make picture": after which step of mem_init (page_init, boot_map_region:3); else at the prompt
FROM      ?= mem_init## where "make gdb" begins on a machine at reset: mem_init or reset
PROFILE   ?= dev## cargo's profile: dev, release (fast) or small
GRADEFLAGS ?=## options for grade.py; see ./grade.py --help
# lab: begin omit
BENCHFLAGS ?=## options for the benchmark, for instance --only map-4k --rounds 50
TARGET    ?= boot_info device_tree operations monitor_line calls programs## what "make fuzz" fuzzes
FUZZTIME  ?= 600## seconds for each of them
MUTANTSFLAGS ?=## options for "make mutants", for instance -f libjos/src/paging/pgdir.rs or --jobs 1
SCHEMESFLAGS ?=## options for "make schemes"
# lab: end
# lab 2: begin omit
MODULE    ?=## with run-NAME: a program (ELF) or a tar archive of programs, for the loader to give to the kernel
# lab 2: end
V         ?=## 1: show every command

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.NOTPARALLEL:

# grade.py picks its own machines and command lines, and always grades the monitor, booted both ways.
ifneq ($(filter check grade% test-% screenshots,$(MAKECMDGOALS)),)
  override APP := monitor
  override BOOT = $(firstword $($(ARCH).boots))
  override CMDLINE :=
endif

Q := $(if $(filter-out 0,$(V)),,@)

# The machines: Rust's name for each, the ways in which it boots, the file beside the kernel for one of these ways, its
# boards, the beginning of its binutils' names, and what QEMU needs besides: the device that ends it.
ARCHES := x86_64 i386 riscv64

x86_64.target := x86_64-unknown-none
x86_64.boots  := grub uefi pvh
x86_64.second := jos.iso
x86_64.boards := pc q35 isapc microvm
x86_64.qemu   := -device isa-debug-exit,iobase=0xf4,iosize=0x04

i386.target := i586-unknown-linux-gnu
i386.boots  := grub pvh
i386.second := jos.iso
i386.boards := pc q35 isapc microvm
i386.qemu   := $(x86_64.qemu)

riscv64.target   := riscv64gc-unknown-none-elf
riscv64.boots    := opensbi bare
riscv64.second   := bare.bin
riscv64.boards   := virt
riscv64.binutils := riscv64-linux-gnu-

# `make run` and `make run-NAME` boot the quickest way, which is the last one.
DEFAULT_BOOT = $(if $(filter run run-%,$(MAKECMDGOALS)),$(lastword $($(ARCH).boots)),$(firstword $($(ARCH).boots)))

ifeq ($(filter $(ARCH),$(ARCHES)),)
  $(error unknown ARCH "$(ARCH)"; there are: $(ARCHES))
endif
RUST_TARGET := $($(ARCH).target)
export ARCH RUST_TARGET

define NEWLINE


endef
# In a recipe: a command of cargo's for each machine.
for-each-machine = $(foreach arch,$(ARCHES),$(Q)ARCH=$(arch) RUST_TARGET=$($(arch).target) $(1)$(NEWLINE))

for-each-machine-with-programs = $(foreach arch,$(PROGRAM_ARCHES),$(Q)RUST_TARGET=$($(arch).target) $(1)$(NEWLINE))

# The folder of one machine's own files. obj/kern has the kernel of the machine that was built last, as JOS's users expect.
OBJ := obj/$(ARCH)
LAST := obj/kern/kernel obj/kern/kernel.sym

# Exported, so that it overrides cargo's own configuration.
export CARGO_TARGET_DIR ?= $(CURDIR)/target
BUILT := $(CARGO_TARGET_DIR)/$(RUST_TARGET)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))

BUILT_PROGRAMS := $(CARGO_TARGET_DIR)/$(RUST_TARGET)/small
APPS := $(sort $(patsubst kernel/examples/%,%,$(patsubst %.rs,%,$(wildcard kernel/examples/*.rs)) \
          $(patsubst %/main.rs,%,$(wildcard kernel/examples/*/main.rs))))
BUILT_APPS := $(BUILT)/examples
ifeq ($(APP),monitor)
  CARGO_APP := --bin kernel
  BUILT := $(BUILT)/kernel
  ISO := $(OBJ)/jos.iso
else
  ifeq ($(filter $(APP),$(APPS)),)
    $(error unknown APP "$(APP)"; there are: monitor $(APPS) (kernel/examples/NAME.rs makes APP=NAME))
  endif
  CARGO_APP := --example $(APP)
  BUILT := $(BUILT_APPS)/$(APP)
  ISO := $(OBJ)/$(APP).iso
endif

# lab 2: begin omit
# The programs in ring 3 (user/), the machines that have them, and the program that `make run-NAME` runs.
PROGRAM_ARCHES := x86_64 i386
PROGRAMS := $(if $(filter $(PROGRAM_ARCHES),$(ARCH)),$(sort $(patsubst user/src/bin/%.rs,%,$(wildcard user/src/bin/*.rs))))
RUN := $(filter run-%,$(MAKECMDGOALS))
ifneq ($(RUN),)
  PROGRAM := $(patsubst run-%,%,$(patsubst %-nox,%,$(patsubst %-gdb,%,$(RUN))))
  ifeq ($(PROGRAMS),)
    $(error ARCH=$(ARCH) runs no programs yet; these do: $(PROGRAM_ARCHES))
  endif
  ifneq ($(words $(PROGRAM)),1)
    $(error run one program at a time, not: $(or $(PROGRAM),none))
  endif
  ifeq ($(MODULE)$(filter $(PROGRAM),$(PROGRAMS)),)
    $(error unknown program "$(PROGRAM)" for ARCH=$(ARCH); there are: $(PROGRAMS) (MODULE=FILE gives the kernel others))
  endif
  override CMDLINE := $(strip run=$(PROGRAM) $(CMDLINE))
endif
# The archive that the monitor's image carries. kernel/build.rs reads the variable.
ARCHIVE := $(OBJ)/programs.tar
export JOS_PROGRAMS := $(CURDIR)/$(ARCHIVE)
# lab 2: end

QEMUOPTS = -accel tcg -machine $(BOARD) -m $(MEM) -smp $(CPUS) -no-reboot $($(ARCH).qemu)
# QEMU ends silently on a triple fault. Its log says so, and runqemu.py reads it.
QEMUOPTS += -d cpu_reset -D $(OBJ)/qemu.log
ifeq ($(BOOT),grub)
  IMAGE := $(ISO)
  QEMUOPTS += -boot d -cdrom $(ISO)
else ifeq ($(BOOT),uefi)
  IMAGE := $(ISO)
  QEMUOPTS += -drive if=pflash,format=raw,readonly=on,file=$(OVMF) -cdrom $(ISO) -nic none
  SETUP_QEMU := setup-uefi
else ifeq ($(BOOT),bare)
  IMAGE := $(OBJ)/kernel $(OBJ)/bare.bin
  QEMUOPTS += -bios $(OBJ)/bare.bin -kernel $(OBJ)/kernel -append "$$CMDLINE"
else
  IMAGE := $(OBJ)/kernel
  QEMUOPTS += -kernel $(OBJ)/kernel -append "$$CMDLINE"
endif
# lab 2: begin omit
# The machine has the name of the program that it runs, by which gdb finds the program's symbols.
RUNS := $(firstword $(filter $(PROGRAMS),$(patsubst run=%,%,$(filter run=%,$(CMDLINE)))))
ifneq ($(RUNS),)
  QEMUOPTS += -name $(RUNS)
endif
# lab 2: end
ifneq ($(MODULE),)
  ifneq ($(words $(MODULE)),1)
    $(error MODULE="$(MODULE)" is not one word)
  endif
  ifeq ($(wildcard $(MODULE)),)
    $(error MODULE=$(MODULE): there is no such file)
  endif
  ifeq ($(filter grub uefi,$(BOOT)),)
    QEMUOPTS += -initrd $(MODULE)
  endif
endif
# QEMU is exported only if it was given: the tests of one machine call make for another.
export CMDLINE OVMF

# The shell would split a value with a blank, and for an empty one QEMU would take its next option as the value.
$(foreach name,ARCH BOOT MEM CPUS BOARD GDBPORT PROFILE,\
  $(if $(filter-out 1,$(words $($(name)))),$(error $(name)="$($(name))" is not one word)))

ifeq ($(filter $(BOOT),$($(ARCH).boots)),)
  $(error unknown BOOT "$(BOOT)" for ARCH=$(ARCH); there are: $($(ARCH).boots))
endif
# Whether the machine boots from an ISO image, by GRUB.
HAS_ISO := $(filter grub,$($(ARCH).boots))
ifeq ($(filter image,$(MAKECMDGOALS))$(HAS_ISO),image)
  $(error ARCH=$(ARCH) does not boot from an ISO image: QEMU's -kernel takes $(OBJ)/kernel, which "make" builds)
endif
# Options may follow the board's name (pc,i8042=off), and QEMU has older boards too (pc-i440fx-6.2).
COMMA := ,
BOARD_NAME := $(firstword $(subst $(COMMA), ,$(BOARD)))
ifeq ($(filter $($(ARCH).boards) pc-%,$(BOARD_NAME)),)
  $(error unknown BOARD "$(BOARD)" for ARCH=$(ARCH); there are: $($(ARCH).boards))
endif
ifeq ($(BOARD_NAME) $(filter-out pvh,$(BOOT)),microvm $(BOOT))
  $(error microvm has no disk to boot from: BOARD=microvm needs BOOT=pvh)
endif

ifeq ($(filter dev release small,$(PROFILE)),)
  $(error unknown PROFILE "$(PROFILE)"; there are: dev release small)
endif

# The least memory, in M, with which GRUB and the kernel can print an error. QEMU takes a bare number as M. Forms of -m
# that this does not know are left to QEMU.
MIN_MEM := 8
ifneq ($(shell printf '%s\n' '$(subst ','\'',$(MEM))' | \
  awk 'match($$0, /(^|^size=|,size=)[0-9]+(\.[0-9]+)?[bBkKmMgGtTpPeE]?(,|$$)/) { \
    $$0 = substr($$0, RSTART, RLENGTH); sub(/.*size=/, ""); \
    unit = index("bkmgtpe", tolower(substr($$0, match($$0, /[^0-9.]|$$/), 1))); if (/[0-9](,|$$)/) unit = 3; \
    if (($$0 + 0) * 1024 ^ (unit - 3) < $(MIN_MEM)) print "too little" }'),)
  $(error MEM=$(MEM) is too little memory for JOS64: give it MEM=$(MIN_MEM)M or more)
endif
ifneq ($(findstring 0x,$(subst X,x,$(MEM))),)
  $(error MEM=$(MEM): give it as a decimal number, such as MEM=256M)
endif

# With graphics=on the firmware and GRUB write to the (unseen) screen, which leaves the serial line to JOS64.
NOX := -nographic -machine graphics=on
BANNER := ***\n*** Leave QEMU with: Ctrl-a x (or, at the prompt, exit)\n***\n
GDBOPTS = -S -gdb tcp::$(GDBPORT)
GDBBANNER = *** QEMU waits at reset: run "make gdb" in another terminal.\n

# Runs QEMU with more options, $(1); HINT is advice for when QEMU fails.
run-qemu = $(Q)exec tools/build/runqemu.py $(OBJ)/qemu.log "$(HINT)" $(QEMU) $(QEMUOPTS) $(1) $(QEMUEXTRA)

# Copies a file that has changed, or that was built again: gdb warns if a source is newer than the kernel.
renew = cmp -s "$(1)" $(2) && ! test "$(1)" -nt $(2) || cp "$(1)" $(2)

##@ Build

all: $(OBJ)/facts.json $(IMAGE) $(LAST) obj/kern/kernel.asm ## build the kernel, its listings and its ISO image

# lab 2: begin omit
programs: $(ARCHIVE) ## build the programs of user/: obj/ARCH/user/NAME, and an archive of them

# They are small whatever the profile, and keep their symbols for gdb. The archive has them without.
$(ARCHIVE): FORCE | setup-build
	@mkdir -p $(OBJ)/user
ifneq ($(PROGRAMS),)
	$(Q)tools/build/kcargo build -p user --bins --profile small
	$(Q)for name in $(PROGRAMS); do cmp -s "$(BUILT_PROGRAMS)/$$name" $(OBJ)/user/$$name || \
	  cp "$(BUILT_PROGRAMS)/$$name" $(OBJ)/user/$$name; done
endif
	$(Q)tools/build/archive.py $@ $(PROGRAMS:%=$(OBJ)/user/%)

$(OBJ)/kernel.linked apps-linked $(OBJ)/shims.linked: | $(ARCHIVE)
# lab 2: end
$(OBJ)/kernel.linked: FORCE | setup-build
	@mkdir -p $(@D)
	$(Q)tools/build/kcargo build -p kernel $(CARGO_APP) --profile $(PROFILE)
	$(Q)$(call renew,$(BUILT),$@)

# symtab puts the kernel's symbols and source lines into its image, and JOS's names into the symbols that gdb reads.
# A small image has no source lines. Every name must exist in a dev build; optimised ones may have inlined some.
# lab: begin symtabflags
SYMTABFLAGS := $(if $(filter small,$(PROFILE)),--names) $(if $(filter dev,$(PROFILE)),--no-missing)
# lab: end
SYMTAB := $(wildcard tools/build/symtab/src/*.rs libjos/src/symtab/*.rs)
$(OBJ)/kernel: $(OBJ)/kernel.linked $(SYMTAB)
	$(Q)cargo run -q -p symtab -- $(SYMTABFLAGS) $< $@

$(OBJ)/kernel.sym: $(OBJ)/kernel
	$(Q)$($(ARCH).binutils)nm -n $< > $@

$(OBJ)/kernel.asm: $(OBJ)/kernel
	$(Q)$($(ARCH).binutils)objdump -S -d -C $< > $@

# The firmware of BOOT=bare, which the kernel's file holds beside the kernel (boot/src/riscv64/bare.s).
$(OBJ)/bare.bin: $(OBJ)/kernel
	$(Q)$($(ARCH).binutils)objcopy -O binary -j .bare --set-section-flags .bare=alloc $< $@

# A listing of another kernel never stays beside the kernel.
obj/kern/kernel: $(OBJ)/kernel FORCE
	@mkdir -p $(@D)
	@cmp -s $< $@ || rm -f $@.asm
	@$(call renew,$<,$@)
obj/kern/kernel.sym obj/kern/kernel.asm: obj/kern/%: $(OBJ)/% FORCE | obj/kern/kernel
	@cmp -s $< $@ || cp $< $@

# Constants and names from the sources, for gdb's jos commands and the tests of the tools.
FACTS := $(ARCHES:%=obj/%/facts.json)
facts: $(FACTS)
$(FACTS): obj/%/facts.json: FORCE | setup-host
	@mkdir -p $(@D)
	$(Q)cargo build -p jos-monitor --example facts
	$(Q)"$(CARGO_TARGET_DIR)/debug/examples/facts" $* > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# All applications at once, for grade.py, as QEMU's -kernel boots them.
apps-linked: FORCE | setup-build
	@mkdir -p $(OBJ)/apps
	$(Q)tools/build/kcargo build -p kernel --examples --profile $(PROFILE)
	$(Q)for app in $(APPS); do cmp -s "$(BUILT_APPS)/$$app" $(OBJ)/apps/$$app.linked || \
	  cp "$(BUILT_APPS)/$$app" $(OBJ)/apps/$$app.linked; done
$(APPS:%=$(OBJ)/apps/%.linked): apps-linked ;
$(APPS:%=$(OBJ)/apps/%): %: %.linked $(SYMTAB)
	$(Q)cargo run -q -p symtab -- $(SYMTABFLAGS) $< $@

# For grade.py alone: the kernel with functions beside it that the grader calls (tools/grade/shims).
$(OBJ)/shims.linked: FORCE | setup-build
	@mkdir -p $(@D)
	$(Q)tools/build/kcargo build -p shims --profile $(PROFILE)
	$(Q)cmp -s "$(dir $(BUILT_APPS))shims" $@ || cp "$(dir $(BUILT_APPS))shims" $@
$(OBJ)/shims: $(OBJ)/shims.linked $(SYMTAB)
	$(Q)cargo run -q -p symtab -- $(SYMTABFLAGS) $< $@

image: $(ISO) ## build APP's ISO image alone, for a PC: obj/ARCH/jos.iso, or obj/ARCH/APP.iso

# The sed command escapes the kernel's command line for GRUB's shell. If GRUB cannot load the kernel, it tries again with
# the serial line as its terminal, so that the error is seen, and ends QEMU with a failure. The first try does not use the
# serial line, since GRUB clears its screen there.
ISOS := $(sort $(OBJ)/jos.iso $(OBJ)/grade-words.iso $(OBJ)/grade-module.iso $(ISO))
$(ISOS:.iso=.cfg): FORCE
	@mkdir -p $(@D)
	@line=$$(printf '%s' "$$CMDLINE" | sed 's/[^[:alnum:]_=,.:@%+/ -]/\\&/g'); \
	load="multiboot2 /boot/kernel $$line$(if $(MODULE),; module2 /boot/module $(notdir $(MODULE)))"; \
	printf '%s\n' 'set timeout=0' "if $$load; then boot; fi" \
	  serial 'terminal_output serial console' "$$load" "echo 'GRUB cannot load JOS64.'" \
	  "echo 'If it is out of memory, give the machine more (QEMU: -m $(MIN_MEM)M or more).'" 'outb 0xf4 0x11' > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# The image boots from BIOS and UEFI. Its kernel is stripped, since GRUB would load the debugging information too. It has
# only the GRUB modules that it uses, which makes it smaller and quicker to boot.
GRUBMODULES := echo iorw multiboot2 normal serial terminal part_acorn part_amiga part_apple part_bsd part_dfly \
               part_dvh part_gpt part_msdos part_plan part_sun part_sunpc
$(ISOS): $(OBJ)/%.iso: $(OBJ)/kernel $(OBJ)/%.cfg $(MODULE) | setup-iso
	$(Q)rm -rf $(OBJ)/$*.root && mkdir -p $(OBJ)/$*.root/boot/grub
	$(Q)strip -o $(OBJ)/$*.root/boot/kernel $<
	$(Q)cp $(OBJ)/$*.cfg $(OBJ)/$*.root/boot/grub/grub.cfg
	$(if $(MODULE),$(Q)cp $(MODULE) $(OBJ)/$*.root/boot/module)
	$(Q)grub-mkrescue --install-modules="$(GRUBMODULES)" \
	  --locales= --fonts= --themes= -o $@ $(OBJ)/$*.root > $(OBJ)/$*.log 2>&1 || { cat $(OBJ)/$*.log; exit 1; }

##@ Run

qemu: HINT = ; qemu-nox needs no window
qemu-gdb: HINT = ; qemu-nox-gdb needs no window, and GDBPORT=N picks another port
qemu-nox-gdb: HINT = ; GDBPORT=N picks another port

# A window needs a display; macOS has one without these variables. This is checked first, since the build may take long.
display:
	@test -n "$$DISPLAY$$WAYLAND_DISPLAY" || test "`uname`" = Darwin || case "$(QEMUEXTRA)" in *-display*|*-vnc*) ;; *) \
	  echo "*** there is no display (DISPLAY and WAYLAND_DISPLAY are not set) for QEMU's window:" \
	  "\"make $(subst qemu,qemu-nox,$(filter qemu%,$(MAKECMDGOALS)))\" runs in this terminal" >&2; exit 1;; esac

qemu: display $(IMAGE) $(LAST) | setup-qemu $(SETUP_QEMU) setup-window ## run in a window; the serial line is this terminal
	$(call run-qemu,-serial mon:stdio)

qemu-nox: $(IMAGE) $(LAST) | setup-qemu $(SETUP_QEMU) ## run in this terminal; Ctrl-a x leaves
	@printf '$(BANNER)'
	$(call run-qemu,$(NOX))

run: $(IMAGE) $(LAST) | setup-qemu $(SETUP_QEMU) ## run APP to its end; make fails if it does
	@if [ -t 0 ]; then echo "*** Ctrl-a x stops it before its end."; fi
	$(call run-qemu,$(NOX))

qemu-gdb: display $(IMAGE) $(LAST) $(OBJ)/facts.json .gdbinit | setup-qemu $(SETUP_QEMU) setup-window ## as qemu, waiting at reset for "make gdb"
	@printf '$(GDBBANNER)'
	$(call run-qemu,-serial mon:stdio $(GDBOPTS))

qemu-nox-gdb: $(IMAGE) $(LAST) $(OBJ)/facts.json .gdbinit | setup-qemu $(SETUP_QEMU) ## as qemu-nox, waiting at reset for "make gdb"
	@printf '$(GDBBANNER)$(BANNER)'
	$(call run-qemu,$(NOX) $(GDBOPTS))

# lab 2: begin omit
# The top of this file takes NAME out of the target.
#run-NAME: ## run a program of user/ in a window; run-NAME-nox: in this terminal; both with -gdb behind
$(RUN): qemu$(patsubst run-$(PROGRAM)%,%,$(RUN)) ;
# lab 2: end
# This compiles nothing: "make qemu-nox-gdb" has built everything, or may still be compiling in the other terminal.
gdb: .gdbinit | setup-gdb ## debug what "make qemu-nox-gdb" runs in another terminal
	@test -e obj/kern/kernel || { echo '*** nothing is built yet: run "make qemu-nox-gdb" in another terminal' >&2; exit 1; }
	$(Q)FROM=$(FROM) $$(command -v gdb-multiarch || command -v gdb) -q -n -x .gdbinit -x tools/gdb/start.gdb

ifeq ($(filter mem_init reset,$(FROM)),)
  $(error unknown FROM "$(FROM)"; there are: mem_init reset)
endif

.gdbinit: .gdbinit.tmpl FORCE
	@sed 's/localhost:1234/localhost:$(GDBPORT)/' $< > $@

print-gdbport: ## print GDBPORT
	@echo $(GDBPORT)

##@ See

PICTURE := $(CARGO_TARGET_DIR)/debug/picture
CAPTURE = tools/picture/capture.py "$(PICTURE)" $(1) $@ -- $(QEMU) $(QEMUOPTS) -nic none $(QEMUEXTRA)
picture: $(OBJ)/picture.html ## what is in the machine's memory, as a page: obj/ARCH/picture.html
film: $(OBJ)/film.html ## the same after each step of mem_init, with a slider: obj/ARCH/film.html
$(OBJ)/picture.html $(OBJ)/film.html: $(IMAGE) $(OBJ)/kernel $(OBJ)/facts.json picture-tool FORCE | setup-qemu $(SETUP_QEMU) setup-gdb
$(OBJ)/picture.html:
	$(Q)$(call CAPTURE,$(if $(STEP),step $(STEP),prompt))
$(OBJ)/film.html:
	$(Q)$(call CAPTURE,film)

picture-tool: | setup-host
	$(Q)cargo build -q -p picture

# lab: begin omit
# Draws docs/img, for the README.
screenshots: $(OBJ)/picture.html $(OBJ)/film.html $(OBJ)/environments.html | setup-browser setup-screenshots ## draw the pictures of the README anew
	$(Q)tools/picture/screenshots.py docs/img -- $(QEMU) $(QEMUOPTS) -nic none $(QEMUEXTRA)

# By counted instructions, so that it shows the same moment each time.
$(OBJ)/environments.html: $(OBJ)/kernel $(OBJ)/facts.json picture-tool FORCE | setup-qemu setup-gdb
	$(Q)tools/picture/capture.py "$(PICTURE)" step env_free $@ -- $(QEMU) -accel tcg -m $(MEM) -no-reboot $($(ARCH).qemu) \
	  -nic none -kernel $(OBJ)/kernel -append run=forktree -icount shift=0,sleep=off
# lab: end

# lab: begin grade
##@ Test

grade: grade-images ## boot ARCH in every way of grade.py and score it
	$(Q)./grade.py --no-build $(GRADEFLAGS)
grade-images: $(addprefix $(OBJ)/,kernel facts.json $(APPS:%=apps/%) shims) $(LAST) | setup-qemu setup-gdb
ifneq ($(HAS_ISO),)
grade-images: $(OBJ)/jos.iso $(OBJ)/grade-words.iso | setup-uefi
else
grade-images: $(IMAGE) $(OBJ)/bare.bin
endif
$(OBJ)/grade-words.cfg: override CMDLINE := colour=mauve test=nonsense
ifneq ($(PROGRAMS),)
grade-images: $(OBJ)/modules $(OBJ)/grade-module.iso
endif
$(OBJ)/modules: $(ARCHIVE) FORCE
	$(Q)tools/grade/modules.py $@ $(OBJ)/user/hello
$(OBJ)/grade-module.cfg $(OBJ)/grade-module.iso: override MODULE = $(OBJ)/modules/archive.tar
$(OBJ)/grade-module.cfg: override CMDLINE := run=guest
$(OBJ)/grade-module.iso: $(OBJ)/modules

# Makes a target for each machine. The chosen one comes last, so that obj/kern has its kernel.
make-for-each-machine = $(Q)failed=; for arch in $(filter-out $(ARCH),$(ARCHES)) $(ARCH); do \
  echo "*** $$arch:"; $(MAKE) --no-print-directory $(1) ARCH=$$arch || failed=1; done; test -z "$$failed"

grade-all: ## grade, for each ARCH
	$(call make-for-each-machine,grade)

check: fmt-check clippy test test32 doc package fuzz-short test-tools test-pictures grade-all ## the tests that every change must pass

test: | setup-host ## the host tests
	$(Q)cargo test
	$(Q)cargo test -p kernel --lib

# The kernel's own are left out, since the PC that they simulate has 64 bits, and those of the tools.
test32: ## the host tests built for 32 bits; skipped where the Rust toolchain has no library for that
	$(Q)if tools/build/setup.sh host32; then cargo test --target i686-unknown-linux-gnu -p boot -p jos-layout -p jos-monitor -p libjos; \
	else echo "test32: skipped, for want of what is named above"; fi

# tests/oracle.rs uses the x86_64 crate, which turns integers into pointers; Miri would warn about each.
miri: export MIRIFLAGS := -Zmiri-permissive-provenance $(MIRIFLAGS)
miri: | setup-miri ## the host tests of the crates that have unsafe code, under Miri
	$(Q)cargo +nightly miri test -p jos-layout -p libjos -p boot

fuzz: | setup-fuzz ## fuzz the parsers, memory system and environments against their models, the monitor
	$(Q)tools/build/fuzz.sh long $(FUZZTIME) $(TARGET)

# "make test" replays the corpus too, on the stable toolchain.
fuzz-short: ## some seconds of it, the same each time; skipped where no nightly toolchain can be had
	$(Q)if tools/build/setup.sh fuzz; then \
	  tools/build/fuzz.sh short 5000 boot_info device_tree && tools/build/fuzz.sh short 200 operations monitor_line && tools/build/fuzz.sh short 50 calls programs; \
	else echo "fuzz-short: skipped, for want of what is named above"; fi

# Graded tests read the programs of the sources themselves: they are the same whatever is planted in the kernel.
mutants: programs | setup-mutants setup-host setup-build setup-iso setup-qemu setup-uefi setup-gdb ## plant faults in the sources, and see whether the tests notice (two hours)
	$(Q)tools/mutants/run.py $(MUTANTSFLAGS)

planted: | setup-build setup-qemu ## plant faults in the kernel, and see whether the grader's reader finds them
	$(Q)tools/grade/planted/plant.py

fmt: | setup-fmt ## format the sources
	$(Q)cargo fmt --all

fmt-check: | setup-fmt ## tell whether they are formatted
	$(Q)cargo fmt --all --check

clippy: export JOS_PROGRAMS := # they need not be built
clippy: | setup-clippy setup-machines ## lint: no warning is let through
	$(Q)cargo clippy --all-targets -- -D warnings
	$(Q)cargo clippy -p bench -- -D warnings
	$(Q)cargo clippy -p kernel --lib --tests -- -D warnings
	$(call for-each-machine,tools/build/kcargo clippy -p kernel --bins --examples -- -D warnings)
	$(call for-each-machine,tools/build/kcargo clippy -p shims -- -D warnings)
	$(call for-each-machine-with-programs,tools/build/kcargo clippy -p user --profile small -- -D warnings)

doc: export RUSTDOCFLAGS := -D warnings
doc: | setup-host setup-machines ## the crates' documentation
	$(Q)cargo doc --no-deps
	$(call for-each-machine,RUSTDOCFLAGS="$$RUSTDOCFLAGS --cfg=jos_machine" tools/build/kcargo doc --no-deps -p kernel --lib)
	$(call for-each-machine-with-programs,RUSTDOCFLAGS="$$RUSTDOCFLAGS --cfg=jos_machine" tools/build/kcargo doc --no-deps -p user --lib)

TESTED_TOOLS := $(filter-out tools/picture/,$(sort $(dir $(wildcard tools/*/test_*.py))))
test-tools: kernels $(FACTS) | setup-iso setup-qemu setup-gdb ## the tests of grade.py and of tools/
	$(Q)for tests in $(TESTED_TOOLS); do python3 -m unittest discover -q -s $$tests || exit 1; done

kernels:
	$(Q)set -e; for arch in $(ARCHES); do $(MAKE) --no-print-directory obj/$$arch/kernel ARCH=$$arch; done

# Without a browser, the tests of the pages are skipped.
test-picture: $(OBJ)/kernel $(OBJ)/$($(ARCH).second) $(OBJ)/facts.json picture-tool | setup-qemu setup-gdb ## the tests of the pictures, in a browser
	$(Q)tools/build/setup.sh browser || echo "*** NOT TESTED: pictures in a browser. There is no Chromium here. ***" >&2
	$(Q)python3 -m unittest discover -q -s tools/picture

test-pictures: ## test-picture, for each ARCH
	$(call make-for-each-machine,test-picture)

package: | setup-host ## jos-layout, libjos and jos-monitor as crates.io would get them, in obj/package; each built from its package alone
	$(Q)tools/build/package.sh

##@ Measure

bench: | setup-host ## libjos beside its peers and the memory's limit; figures and a plot in obj/bench.*
	@mkdir -p obj
	$(Q)cargo run -q --release -p bench -- --json obj/bench.json --svg obj/bench.svg $(BENCHFLAGS)

schemes: | setup-host ## all schemes of keeping books on frames on one trace: a table, and a plot in obj/schemes.svg
	@mkdir -p obj
	$(Q)cargo run -q -p schemes -- --svg obj/schemes.svg $(SCHEMESFLAGS)

# With -icount the time-stamp counter counts instructions, so that the figures are the same on every run.
bench-kernel: ## instructions that the memory system takes in the machine, beside JOS and xv6
	$(Q)$(MAKE) --no-print-directory qemu-nox APP=bench PROFILE=release BOOT=$(lastword $($(ARCH).boots)) MEM=$(MEM) CPUS=1 CMDLINE= \
	  QEMUEXTRA="-icount shift=0,sleep=off $(QEMUEXTRA)"

bench-boot: ## what booting takes, each way: instructions, time, image size, RAM
	$(Q)$(MAKE) --no-print-directory $(OBJ)/kernel $(if $(HAS_ISO),image,$(OBJ)/bare.bin) APP=boot PROFILE=small CMDLINE= MEM=256M
	$(Q)tools/bench/boottime.py $(BENCHFLAGS)
bench-boot: | setup-qemu $(if $(HAS_ISO),setup-uefi)

##@ Teach

LAB       ?= 2## the lab of "make handout" and "make autograder"

handout: | setup-host ## make handout LAB=N OUT=dir: the tree that students get, without the bodies that they are to write
	@test -n "$(OUT)" || { echo '*** say where: make handout LAB=$(LAB) OUT=dir' >&2; exit 1; }
	$(Q)cargo run -q -p lab -- handout "$(LAB)" "$(OUT)"

autograder: | setup-host ## obj/autograder-labN.zip for Gradescope
	$(Q)tools/lab/autograder/pack.py "$(LAB)"

check-lab: export LAB_ALL := 1
check-lab: | setup-host setup-build setup-qemu ## all tests of the labs: each body left out, added in order, and with usual mistakes
	$(Q)python3 -m unittest discover -v -s tools/lab

check-lab-bare: export LAB_ALL := 1
check-lab-bare: | setup-host setup-bare ## as root: those of the autograder in a bare Debian below ROOT=dir, which is made if it is not there
	@test -n "$(ROOT)" || { echo '*** say where: make check-lab-bare ROOT=dir' >&2; exit 1; }
	$(Q)AUTOGRADER_ROOT="$(ROOT)" python3 -m unittest -v tools/lab/test_autograder.py

# lab: end
##@ Else

setup: setup-machines ## install whatever any target needs
	$(call for-each-machine,tools/build/setup.sh qemu gdb)
	@tools/build/setup.sh iso uefi window host fmt clippy browser screenshots mutants
	@tools/build/setup.sh miri fuzz || echo "setup: all is there but what \"make miri\" and \"make fuzz\" need" >&2

# The Rust targets of all machines.
setup-machines: FORCE
	$(call for-each-machine,tools/build/setup.sh build)

setup-%: FORCE
	@tools/build/setup.sh $*

clean: ## remove everything built
	$(Q)rm -rf obj .gdbinit
	$(Q)if command -v cargo > /dev/null; then cargo clean; fi

# Folds lines at 80 columns, and indents continuations.
FOLD := awk '{ while (length($$0) > 80) { for (i = 81; substr($$0, i, 1) != " "; i--); \
  print substr($$0, 1, i - 1); $$0 = sprintf("%18s%s", "", substr($$0, i + 1)) } print }'

help: ## this list
	@echo "Targets:"
	@sed -nE 's/^##@ (.*)/ \1/p; s/^#?([a-zA-Z0-9-]+):[^=]* ## (.*)/  \1\t\2/p' Makefile | expand -t 18 | $(FOLD)
	@echo "Variables:"
	@sed -nE 's/^([A-Z]+) *\?= *([^#]*)## *(.*)/  \1\t\3 [\2]/p' Makefile | sed -E 's/ \[(|[^]]*\$$.*)\]$$//' | expand -t 18 | \
	  $(FOLD)

FORCE:
.PHONY: all image apps-linked run qemu qemu-nox qemu-gdb qemu-nox-gdb gdb print-gdbport grade grade-images \
        check test test32 miri fmt fmt-check clippy doc test-tools bench bench-kernel bench-boot setup clean help \
        facts picture film picture-tool display screenshots test-picture schemes planted fuzz fuzz-short mutants \
        programs package kernels grade-all test-pictures handout autograder check-lab check-lab-bare FORCE
