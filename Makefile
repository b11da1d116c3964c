# SPDX-License-Identifier: GPL-2.0-only
# "make bench" and "make test" set up all they need; everything else is for working on the suite.
PYTHON ?= python3
unexport PYTHONSAFEPATH  # python -m finds what is here
MEASURED = example-lkml-2022 example-quick-amd64 example-quick-arm64 example-quick-arm64-16k example-quick-riscv64 example-accessed example-life-6.12 example-life-6.18 example-life-7.3 example-life-here example-bystanders-6.12 example-bystanders-6.18 example-bystanders-7.3 example-bystanders-here example-instead-6.12 example-instead-6.18 example-instead-7.3 example-instead-here example-batching-6.12 example-batching-6.18 example-batching-7.3 example-batching-here
PLAYED = example-meaning-6.1 example-meaning-v6 example-meaning-6.12 example-meaning-6.18 example-meaning-7.0 example-meaning-7.1 example-meaning-7.2 example-meaning-7.3 example-meaning-here
# of kernels built by hand: make measure-example-v6 STOCK=linux-6.1/arch/x86/boot/bzImage V6=linux-v6/arch/x86/boot/bzImage
MATRICES = example-matrix example-itself example-v6 example-v6-partial example-range
C = $(wildcard bench/core/[!_]*.c bench/core/interfaces/*.c tests/*.c)
# Cross compilers, and what Debian calls their packages: the core has no warning on these architectures either.
CROSS = aarch64-linux-gnu-gcc riscv64-linux-gnu-gcc
CROSS_PACKAGES = gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-riscv64-linux-gnu libc6-dev-riscv64-cross
STRICT = -std=gnu11 -O2 -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror -o /dev/null -c
ANALYZE = -std=gnu11 -O2 -Xclang -analyzer-werror -Xclang -analyzer-output=text -o /dev/null
MEASURE = $(addprefix measure-,$(MEASURED) $(PLAYED))
MEASURE_MATRIX = $(addprefix measure-,$(MATRICES))

help:
	@echo 'make bench   set up, measure the quick suite, print the report'
	@echo 'make test    set up, run all tests, those in guests included, on all CPUs'
	@echo 'make setup   only set up what a run needs; ./bench.py --help shows what then works'
	@echo 'make perf    the interval loop against a bare C loop'
	@echo 'make fuzz    odd inputs for SECONDS=600, chosen by SEED=1; a target: TARGET=log'
	@echo 'make sanitize  the C core under ASan, UBSan, TSan, the leak checker and valgrind'
	@echo 'make coverage  what of Python and C the tests reach, and the files below 95 %'
	@echo 'make soak    MINUTES=60 of mixed jobs in one server, GUESTS=200 boots: what grows, or is left'
	@echo 'make check   linters, type checks, formats; the C core by gcc and clang, for arm64 and riscv64 too'
	@echo 'make deb     the Debian package of this checkout, in dist/'
	@echo 'make lock    renew requirements.txt and requirements-dev.txt from what *.in name'
	@echo 'make clean   remove what setup and the tests made; results/ stays'
	@echo 'make examples  reports, comparisons and plots of results/example-*, and the tables of the README'
	@echo 'make measure-example-matrix  measure results/example-matrix again; likewise:'
	@echo '    $(MATRICES) $(MEASURED)' | fmt -w 76
	@echo '    $(PLAYED)' | fmt -w 76

setup:
	@$(PYTHON) -m bench.setup

setup-dev:
	@$(PYTHON) -m bench.setup --dev

setup-vm:
	@$(PYTHON) -m bench.setup --dev --vm

bench: setup
	./bench.py run

test: setup-vm
	.venv/bin/python -m pytest -n logical --maxprocesses 4 $(PYTEST)

perf: setup
	.venv/bin/python -m tests.perf

fuzz: setup-dev
	.venv/bin/python -m tests.fuzz --seconds $(or $(SECONDS),600) --seed $(or $(SEED),1) \
		$(addprefix --target ,$(TARGET)) $(addprefix --inputs ,$(INPUTS)) $(addprefix --first ,$(FIRST))

sanitize: setup-vm
	.venv/bin/python -m tests.sanitize

coverage: setup-vm
	.venv/bin/python -m tests.covered $(PYTEST)

soak: setup-vm
	.venv/bin/python -m tests.soak --minutes $(or $(MINUTES),60) --guests $(or $(GUESTS),200)

check: check-python check-c

check-python: setup-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

check-c: setup-dev
	.venv/bin/clang-format --dry-run -Werror $(C) bench/core/*.h bench/vm/*.[ch]
	for cc in gcc clang; do \
		for file in $(C); do $$cc $(STRICT) $$file || exit 1; done; \
		for api in 1 2 3 7; do $$cc $(STRICT) -fPIC -DQEMU_PLUGIN_API=$$api bench/vm/counting.c || exit 1; done; \
	done
	for cc in $(CROSS); do \
		command -v $$cc >/dev/null || { echo 'no '$$cc': apt install $(CROSS_PACKAGES)' >&2; exit 1; }; \
		for file in $(C); do $$cc $(STRICT) $$file || exit 1; done; \
	done
	for file in $(C) bench/vm/counting.c; do \
		gcc $(STRICT) -fanalyzer -DQEMU_PLUGIN_API=1 $$file || exit 1; \
		clang --analyze $(ANALYZE) -DQEMU_PLUGIN_API=1 $$file || exit 1; \
	done

# An example keeps its plan and records, packed; all else in its folder is made of them.
$(MEASURE): measure-%: setup
	rm -rf results/new-$*
	./bench.py run $(OPTIONS) --name new-$* >/dev/null || [ $$? = 1 ]
	rm -rf results/$*
	mv results/new-$* results/$*
	xz -9e results/$*/records.jsonl
	./bench.py report $*

$(MEASURE_MATRIX): measure-%: setup
	rm -rf results/new-$*
	./bench.py matrix $(OPTIONS) --name new-$* >/dev/null || [ $$? = 1 ] # what answers wrong is worth keeping
	rm -rf results/$*
	mv results/new-$* results/$*
	xz -9e results/$*/*/records.jsonl

measure-example-matrix: OPTIONS = --kernel base=debian:6.12 --kernel new=debian:7.3
measure-example-itself: OPTIONS = --kernel base=debian:6.12 --kernel again=debian:6.12
measure-example-v6: OPTIONS = --kernel stock=$(STOCK) --kernel v6=$(V6)
measure-example-v6-partial: OPTIONS = --kernel stock=$(STOCK) --kernel v6=$(V6) --interface clear_refs --interface v6 \
	--interface v6-no-reused --pages 65536 --dirty 1 --watch 10,100 --prior 0,10 --first
measure-example-range: OPTIONS = --kernel 6.12=debian:6.12 --kernel 7.3=debian:7.3 --interface clear_refs \
	--interface scan-softdirty --interface scan-wp --pages 65536 --dirty 1 --watch 10,100
DEBIAN = --kernel debian:$(lastword $(subst -, ,$*))
$(addprefix measure-example-life-,6.12 6.18 7.3): OPTIONS = --suite life $(DEBIAN) --boots 3 --processes 3
$(addprefix measure-example-batching-,6.12 6.18 7.3): OPTIONS = --suite batching $(DEBIAN) --boots 3 --processes 3
$(addprefix measure-example-instead-,6.12 6.18 7.3): OPTIONS = --suite instead $(DEBIAN) --boots 3 --processes 3
$(addprefix measure-example-bystanders-,6.12 6.18 7.3): OPTIONS = --suite bystanders $(DEBIAN) --boots 1 --processes 1 \
	--values 3 --filter '*pages=1024 *|*pages=16384 *'
measure-example-life-here: OPTIONS = --suite life --where here --processes 6
measure-example-batching-here: OPTIONS = --suite batching --where here --processes 6
measure-example-instead-here: OPTIONS = --suite instead --where here --processes 5 --values 2
measure-example-bystanders-here: OPTIONS = --suite bystanders --where here --processes 3 --values 1 \
	--filter '*pages=1024 *|*pages=16384 *'
measure-example-quick-amd64: OPTIONS = --suite quick --kernel debian:6.12 --accel icount
measure-example-quick-riscv64: OPTIONS = --suite quick --kernel debian:7.2 --arch riscv64
$(addprefix measure-example-quick-,arm64 arm64-16k): OPTIONS = --suite quick --kernel debian:6.12 --arch $(@:measure-example-quick-%=%)
measure-example-accessed: OPTIONS = --suite accessed --kernel debian:7.3 --accel icount --processes 2 --boots 2
measure-example-lkml-2022: OPTIONS = --suite lkml-2022 --where here
measure-example-meaning-here: OPTIONS = --suite meaning --values 20 --where here
measure-example-meaning-v6: OPTIONS = --suite meaning --values 20 --kernel $(V6)
$(addprefix measure-example-meaning-,6.1 6.12 6.18 7.0 7.1 7.2 7.3): OPTIONS = --suite meaning --values 20 $(DEBIAN)

examples: setup
	for name in $(MEASURED) $(PLAYED) example-matrix/base example-v6/v6 example-v6-partial/v6 \
		example-range/6.12 example-range/7.3; do \
		./bench.py report $$name >/dev/null || exit 1; \
	done
	for pair in "matrix base new" "itself base again" "v6 stock v6" "v6-partial stock v6" "range 6.12 7.3"; do \
		set -- $$pair; \
		./bench.py compare example-$$1/$$2 example-$$1/$$3 --name example-$$1 >/dev/null || exit 1; \
		./bench.py cover-letter example-$$1/$$2 example-$$1/$$3 >results/example-$$1/cover-letter.txt || exit 1; \
	done
	./bench.py cover-letter example-matrix/base --into README.md
	./bench.py report $(filter-out %-here,$(PLAYED)) --name example-meaning >/dev/null
	./bench.py cover-letter example-meaning-6.12 example-meaning-7.3 >results/example-meaning/cover-letter.txt
	./bench.py compare example-quick-amd64 example-quick-arm64 example-quick-arm64-16k >results/architectures.txt
	./bench.py history --limit 0 >/dev/null
	.venv/bin/python -m bench.report.selftests >results/selftests.md

deb: setup
	@.venv/bin/python -m bench.packaging.deb

lock: setup
	.venv/bin/python -m pip install --quiet uv
	for name in requirements requirements-dev; do \
		.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-header \
			--no-emit-index-url --no-emit-find-links $$name.in -o $$name.txt && \
		sed -i '1i # SPDX-License-Identifier: GPL-2.0-only' $$name.txt || exit 1; \
	done

clean:
	rm -rf .venv .cache dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .fuzz bench/core/*.so bench/core/_core.c
	find bench -name '*.o' -delete
	find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help setup setup-dev setup-vm bench test perf fuzz sanitize coverage soak check check-python check-c $(MEASURE) $(MEASURE_MATRIX) examples deb lock clean
