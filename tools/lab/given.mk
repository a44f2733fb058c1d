# Every handout's text in the place of the marked parts of the Makefile.

# lab: begin symtabflags
SYMTABFLAGS := $(if $(filter small,$(PROFILE)),--names)
# lab: end

# lab: begin grade
##@ Work

LAB := $(patsubst tools/lab/lab%,%,$(wildcard tools/lab/lab*))

test: | setup-host ## the exercises' tests, on simulated machines: cargo test e04 runs those of exercise 4
	$(Q)cargo test -q -p libjos --tests

bodies: | setup-host ## do your functions use only what their exercises list?
	$(Q)cargo run -q -p lab -- check $(LAB) . && echo "All bodies are well."

grade: | setup-host setup-build setup-qemu ## score each exercise, and the kernel in QEMU
	$(Q)./grade.py $(GRADEFLAGS)

handin: | setup-host ## labN.tar.gz: the files with your functions
	$(Q)tar czf lab$(LAB).tar.gz $$(cargo run -q -p lab -- files $(LAB))
	@echo "Hand in lab$(LAB).tar.gz."

# lab: end
