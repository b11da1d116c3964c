#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Starts the command line, bench/run/main.py, under the Python that `make setup` made."""

import os
import sys

ROOT = os.path.dirname(os.path.realpath(__file__))
VENV, PYTHON = f"{ROOT}/.venv", f"{ROOT}/.venv/bin/python"
if os.path.exists(f"{VENV}/pyvenv.cfg") and os.path.exists(PYTHON) and not os.path.samefile(sys.prefix, VENV):
    os.execv(PYTHON, [PYTHON, __file__, *sys.argv[1:]])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)
try:
    from bench.run.main import entry

    sys.exit(entry())
except ModuleNotFoundError as missing:
    sys.exit(f"error: Python has no module {missing.name!r}\nhint: run: make setup")
