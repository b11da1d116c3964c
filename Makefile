# SPDX-License-Identifier: GPL-2.0-only
# "make bench" and "make test" set up all they need; everything else is for working on the suite.
PYTHON ?= python3
EXAMPLES = example-6.12 example-6.12-again example-7.3 example-lkml-2022
MEANINGS = example-meaning-6.1 example-meaning-6.12 example-meaning-6.18 example-meaning-7.3 example-meaning-here

help:
	@echo 'make bench   set up, measure the quick suite, print the report'
	@echo 'make test    set up, run all tests, those in guests included'
	@echo 'make setup   only set up; ./bench.py --help shows what then works'
	@echo 'make perf    the interval loop against a bare C loop'
	@echo 'make check   linters, type checks, and the C core with every warning, by gcc and clang'
	@echo 'make examples  reports, comparisons and plots of results/example-*, and the tables of the README'
	@echo 'make lock    renew requirements.txt from requirements.in'
	@echo 'make clean   remove what setup and the tests made; results/ stays'

setup:
	@$(PYTHON) -m bench.setup

# The measurements themselves: ./bench.py run --kernel debian:6.12 --name example-6.12, and so on; of the meanings
# ./bench.py run --suite meaning --kernel debian:6.12 --name example-meaning-6.12, and so on.
examples: setup
	for name in $(EXAMPLES); do ./bench.py report $$name >/dev/null || exit 1; done
	./bench.py compare example-6.12 example-7.3 --name example-6.12-vs-7.3 >/dev/null
	./bench.py compare example-6.12 example-6.12-again --name example-6.12-vs-itself >/dev/null
	./bench.py cover-letter example-6.12 --into README.md
	for name in $(MEANINGS); do ./bench.py report $$name >/dev/null || exit 1; done
	./bench.py report $(MEANINGS) --name example-meaning >/dev/null

setup-vm:
	@$(PYTHON) -m bench.setup --vm

bench: setup
	./bench.py run

test: setup-vm
	.venv/bin/python -m pytest $(PYTEST)

perf: setup
	.venv/bin/python -m tests.perf

check: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	for cc in gcc clang; do \
		for file in bench/core/[!_]*.c bench/core/interfaces/*.c tests/bare.c; do \
			$$cc -std=gnu11 -O2 -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror \
				-c $$file -o /dev/null || exit 1; \
		done; \
	done

lock: setup
	.venv/bin/python -m pip install --quiet uv
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links requirements.in -o requirements.txt
	sed -i '1i # SPDX-License-Identifier: GPL-2.0-only' requirements.txt

clean:
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis bench/core/*.so bench/core/_core.c
	find bench -name '*.o' -delete
	find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help examples setup setup-vm bench test perf check lock clean
