# SPDX-License-Identifier: GPL-2.0-only
# "make bench" and "make test" set up all they need; everything else is for working on the suite.
PYTHON ?= python3
MEASURED = example-6.12 example-6.12-again example-7.3 example-lkml-2022
PLAYED = example-meaning-6.1 example-meaning-6.12 example-meaning-6.18 example-meaning-7.3 example-meaning-here
C = $(wildcard bench/core/[!_]*.c bench/core/interfaces/*.c tests/*.c)
STRICT = -std=gnu11 -O2 -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror -o /dev/null -c
MEASURE = $(addprefix measure-,$(MEASURED) $(PLAYED))

help:
	@echo 'make bench   set up, measure the quick suite, print the report'
	@echo 'make test    set up, run all tests, those in guests included'
	@echo 'make setup   only set up what a run needs; ./bench.py --help shows what then works'
	@echo 'make perf    the interval loop against a bare C loop'
	@echo 'make check   linters, type checks, formats, and the C core with every warning, by gcc and clang'
	@echo 'make lock    renew requirements.txt and requirements-dev.txt from what *.in name'
	@echo 'make clean   remove what setup and the tests made; results/ stays'
	@echo 'make examples  reports, comparisons and plots of results/example-*, and the tables of the README'
	@echo 'make measure-example-6.12  measure results/example-6.12 again; likewise:'
	@echo '    $(MEASURED)' | fmt -w 76
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
	.venv/bin/python -m pytest $(PYTEST)

perf: setup
	.venv/bin/python -m tests.perf

check: check-python check-c

check-python: setup-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

check-c: setup-dev
	.venv/bin/clang-format --dry-run -Werror $(C) bench/core/*.h bench/vm/*.[ch]
	for cc in gcc clang; do \
		for file in $(C); do $$cc $(STRICT) $$file || exit 1; done; \
		for api in 1 2 3; do $$cc $(STRICT) -fPIC -DQEMU_PLUGIN_API=$$api bench/vm/counting.c || exit 1; done; \
	done

# An example keeps its plan and records, packed; all else in its folder is made of them.
$(MEASURE): measure-%: setup
	rm -rf results/new-$*
	./bench.py run $(OPTIONS) --name new-$* >/dev/null
	rm -rf results/$*
	mv results/new-$* results/$*
	gzip -n -9 results/$*/records.jsonl
	./bench.py report $*

measure-example-6.12 measure-example-6.12-again: OPTIONS = --kernel debian:6.12
measure-example-7.3: OPTIONS = --kernel debian:7.3
measure-example-lkml-2022: OPTIONS = --suite lkml-2022 --where here
measure-example-meaning-6.1: OPTIONS = --suite meaning --kernel debian:6.1
measure-example-meaning-6.12: OPTIONS = --suite meaning --kernel debian:6.12
measure-example-meaning-6.18: OPTIONS = --suite meaning --kernel debian:6.18.15
measure-example-meaning-7.3: OPTIONS = --suite meaning --kernel debian:7.3
measure-example-meaning-here: OPTIONS = --suite meaning --where here

examples: setup
	for name in $(MEASURED) $(PLAYED); do ./bench.py report $$name >/dev/null || exit 1; done
	./bench.py compare example-6.12 example-7.3 --name example-6.12-vs-7.3 >/dev/null
	./bench.py compare example-6.12 example-6.12-again --name example-6.12-vs-itself >/dev/null
	./bench.py cover-letter example-6.12 --into README.md
	./bench.py report $(PLAYED) --name example-meaning >/dev/null

lock: setup
	.venv/bin/python -m pip install --quiet uv
	for name in requirements requirements-dev; do \
		.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-header \
			--no-emit-index-url --no-emit-find-links $$name.in -o $$name.txt && \
		sed -i '1i # SPDX-License-Identifier: GPL-2.0-only' $$name.txt || exit 1; \
	done

clean:
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis bench/core/*.so bench/core/_core.c
	find bench -name '*.o' -delete
	find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help setup setup-dev setup-vm bench test perf check check-python check-c $(MEASURE) examples lock clean
