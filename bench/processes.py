# SPDX-License-Identifier: GPL-2.0-only
"""Runs other programs: the only place that starts any. Each has a limit, a session of its own, and dies with us.

Setup imports it under any Python since 3.8, to say that it is too old.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from bench import signals
from bench.errors import ProgramFailed

if TYPE_CHECKING:
    from typing import TypeAlias

PIPE, STDOUT, DEVNULL = subprocess.PIPE, subprocess.STDOUT, subprocess.DEVNULL
Process: TypeAlias = "subprocess.Popen[bytes]"
Finished: TypeAlias = "subprocess.CompletedProcess[str]"
LEAVE_SECONDS = 5.0  # for what was killed to be gone: what sleeps in the kernel for ever never is
_LOOK_SECONDS = 0.2  # between two looks for a signal, which reaches the main thread alone
# The kernel kills it when we are gone (PR_SET_PDEATHSIG); the shell ends where we were gone before that was asked for.
_ALONE = '[ "$PPID" = "$0" ] && exec "$@"'
# The same for what starts others: the shell stays, is told, ends them in order, and then for certain.
_TREE = """trap 'trap "" TERM; kill -TERM 0; sleep 1; kill -KILL 0' TERM; [ "$PPID" = "$0" ] || exit; "$@" & wait $!"""


def guard(*, tree: bool = False) -> list[str]:
    """Return words to put before a command, so that it ends when the thread that started it does.

    tree: it starts others, which are to end as well; it must be started in a session of its own.
    """
    words = ["setpriv", "--pdeathsig", "TERM" if tree else "KILL"]
    return [*words, "/bin/sh", "-c", _TREE if tree else _ALONE, str(os.getpid())] if _works(*words) else []


def _works(*words: str) -> bool:
    """Whether there is such a program, and the kernel lets it do that: in a sandbox it may not."""
    try:
        return _tried(*words)
    except subprocess.TimeoutExpired:  # the machine is busy: it is tried again next time
        return True


@lru_cache(maxsize=None)  # noqa: UP033  (Python 3.8 has no cache)
def _tried(*words: str) -> bool:
    with suppress(OSError):
        return not subprocess.run([*words, "true"], capture_output=True, timeout=LEAVE_SECONDS, check=False).returncode
    return False


def start(command: Sequence[str], *, tree: bool = False, **options: Any) -> Process:
    """Start a program that dies with us; tree: of guard(), options: of Popen. Whoever starts it ends it: end().

    It has a session of its own, so that Ctrl-C reaches us alone. Raises ProgramFailed.
    """
    if shutil.which(command[0]) is None:
        raise ProgramFailed(f"there is no program {command[0]} on this machine", _installing(command[0]))
    options = {"stdin": subprocess.DEVNULL, "start_new_session": True} | options
    # Our modules are found in the folder that they are started in. pipx, for one, sets it for all that it starts.
    environment = options.pop("env", None) or os.environ
    options["env"] = {name: value for name, value in environment.items() if name != "PYTHONSAFEPATH"}
    try:
        process = cast("Process", subprocess.Popen([*guard(tree=tree), *command], **options))
    except OSError as error:
        raise ProgramFailed(
            f"{command[0]} can't be started: {error.strerror}", "is there a limit on processes or memory (ulimit -a)?"
        ) from None
    return process


def environment(*drop: str, **more: str) -> dict[str, str]:
    """Return the environment without what points git elsewhere, as in a hook, and what begins like `drop`."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", *drop))} | more


def end(process: Process, *hows: signal.Signals) -> int | None:
    """End a program and all it started, by one signal after the other; return its status, None if it stays."""
    for how in (*hows, signal.SIGKILL):
        if process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, how)
        if (status := waited(process, LEAVE_SECONDS)) is not None:
            break
    with suppress(ProcessLookupError, PermissionError):  # what it had started and not waited for
        os.killpg(process.pid, signal.SIGKILL)
    return status


def waited(process: Process, seconds: float) -> int | None:
    """Wait for a program's end; return its status, None if it has not ended by then: it may sleep in the kernel."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def finish(
    command: Sequence[str], seconds: float, data: bytes | None = None, *, hint: str = "", **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end with `data` as its input, and return what it said; options: of start().

    Raises ProgramFailed where it is missing or takes longer; hint: what to do then, by default by the program.
    """
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    process = start(command, stdin=subprocess.DEVNULL if data is None else subprocess.PIPE, **options)
    limit = time.monotonic() + seconds
    try:
        while True:
            signals.check()
            try:
                given, data = data, None
                said, complained = process.communicate(given, timeout=_LOOK_SECONDS)
                return subprocess.CompletedProcess(command, process.returncode, said or b"", complained or b"")
            except subprocess.TimeoutExpired:
                if time.monotonic() > limit:
                    raise ProgramFailed(
                        f"{command[0]} took more than {seconds:g} s, so it was stopped", hint or _hurrying(command[0])
                    ) from None
    finally:
        end(process, signal.SIGTERM)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                with suppress(OSError):
                    pipe.close()


def run(command: Sequence[str], seconds: float, given: str = "", **options: Any) -> Finished:
    """Run a program to its end as finish() does, with text as its input and output."""
    done = finish(command, seconds, given.encode() if given else None, **options)
    said, complained = (data.decode("utf-8", "replace") for data in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, said, complained)


@contextmanager
def stream(command: Sequence[str], seconds: float, given: IO[bytes] | None = None) -> Iterator[IO[bytes]]:
    """Read what a program writes, as far as it is wanted: then it is ended. given: a file, its input. Raises
    ProgramFailed with what it said where it failed, and where it takes longer.
    """
    with _said() as complaints:
        process = start(command, stdin=given or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints)
        assert process.stdout is not None
        late = threading.Timer(seconds, process.kill)
        late.daemon = True
        late.start()
        try:
            yield process.stdout
            process.stdout.close()
        except OSError:
            raise
        except Exception as error:  # of whoever can't read what it wrote
            status = waited(process, LEAVE_SECONDS)
            complaints.seek(0)
            lines = complaints.read().decode("utf-8", "replace").strip().splitlines() if status else []
            said = lines[-1] if lines else f"{error} (status {status})"
            raise ProgramFailed(f"{command[0]} failed: {said}", "is the file whole, and the disk full?") from error
        finally:
            late.cancel()
            end(process)


def _said() -> IO[bytes]:
    """A file without a name."""
    return os.fdopen(os.memfd_create("said"), "w+b")


def _installing(program: str) -> str:
    return f"install what has it, such as: apt install {_PACKAGES.get(Path(program).name, Path(program).name)}"


def _hurrying(program: str) -> str:
    if Path(program).name == "apt-get":
        return "is there a network, and does the package mirror answer?"
    return "try again on a quiet machine"


_PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-system-riscv64": "qemu-system-riscv",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    "riscv64-linux-gnu-gcc": "gcc-riscv64-linux-gnu libc6-dev-riscv64-cross",
    "ldd": "libc-bin",
    "cc": "gcc",
    "addr2line": "binutils",
    "nm": "binutils",
    "strip": "binutils",
    "apt-get": "apt",
    "apt-cache": "apt",
    "dpkg-deb": "dpkg",
}
