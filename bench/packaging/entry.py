# SPDX-License-Identifier: GPL-2.0-only
"""In a wheel this is pagemap_bench/__init__.py, beside bench.py: what the command that pip makes calls."""

import os
import runpy


def main() -> None:
    """Run bench.py as a program: it ends with the exit status."""
    runpy.run_path(os.path.join(os.path.dirname(os.path.realpath(__file__)), "bench.py"), run_name="__main__")
