#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Starts the command line, bench/run/main.py, under the Python that `make setup` made.

Any Python 3 may run this file, to be told that it is too old.
"""

# ruff: noqa: UP036, PLC0415

import contextlib
import os
import signal
import sys
from typing import NoReturn

ROOT = os.path.dirname(os.path.realpath(__file__))
VENV, PYTHON = f"{ROOT}/.venv", f"{ROOT}/.venv/bin/python"
CHECKOUT = os.path.exists(f"{ROOT}/pyproject.toml")  # else it is an installed copy: bench/place.py
SETUP = "run: make setup" if CHECKOUT else "install it again, for this Python"
HERE = "bench"  # in sys._xoptions of who was started by us: it does not start another


def fail(message: object, hint: str, status: int = 2) -> NoReturn:
    """Print an error and its hint, and end."""
    with contextlib.suppress(OSError, ValueError):  # standard error is closed, or full
        print(f"error: {message}\nhint: {hint}", file=sys.stderr)
    os._exit(status)


def open_streams() -> None:
    """Give closed standard streams something: else the next file that is opened takes their place."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115  (it stays)


def change_python() -> None:
    """Go on in the virtual environment, where there is one."""
    try:
        if not os.path.lexists(PYTHON) or not os.path.exists(f"{VENV}/pyvenv.cfg"):
            os.listdir(VENV)  # refused where it is another user's
            return
        if os.path.samefile(sys.prefix, VENV):
            return
        if HERE in sys._xoptions:
            fail(f"{VENV} is no virtual environment that this user can use", "run: make setup; in a checkout of yours")
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # Python has no good answer to it while it starts
        os.execv(PYTHON, [PYTHON, "-X", HERE, __file__, *sys.argv[1:]])
    except FileNotFoundError:
        if os.path.lexists(PYTHON):
            fail(f"{PYTHON} leads to no Python", "was it removed, or is it another user's? run: make setup")
    except OSError as error:
        fail(f"{VENV} can't be used: {error.strerror}", "is it another user's? make a checkout of yours, and set it up")


def main() -> int:
    """Run the command line; say what is missing for it."""
    open_streams()
    change_python()
    if sys.version_info < (3, 11):
        version = ".".join(map(str, sys.version_info[:3]))
        hint = f"{SETUP} PYTHON=python3.12, for example" if CHECKOUT else "install it for a newer Python"
        fail(f"Python is {version}, and 3.11 is needed", hint)
    if ROOT not in sys.path:
        sys.path.insert(0, ROOT)
    from bench import signals

    signals.catch()
    try:
        if HERE in sys._xoptions:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        from bench.run.main import entry

        status = entry()
    except signals.Interrupted as error:  # before or after a command
        begun = "entry" in locals()
        hint = "it may have been done: look, or run it again" if begun else "nothing was begun: run it again"
        fail(error, hint, 128 + error.signal)
    except ModuleNotFoundError as error:
        fail(f"Python has no module {error.name!r}", SETUP)
    except ImportError as error:  # a library of it
        fail(f"{error.name} can't be loaded: {error}", f"is there a limit on memory (ulimit -a)? if not, {SETUP}")
    signals.default()
    return status


if __name__ == "__main__":
    sys.exit(main())
