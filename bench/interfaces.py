# SPDX-License-Identifier: GPL-2.0-only
"""The table of interfaces, and the probes that say why one can't be measured here."""

import errno
import json
import os
import signal
import sys
from array import array
from typing import Any, NamedTuple

from bench.errors import BadInput, Unsupported
from bench.mapping import Mapping, Pattern, Tracker, ffi, lib

PROBE_SECONDS = 5  # a probe that hangs is an answer too


def _table(name: str) -> Any:
    """Pointer to the C table of bench/core/interfaces/NAME.c."""
    return ffi.addressof(lib, f"interface_{name}")


class Reason(NamedTuple):
    """Why something can't be measured here, and what would change that."""

    why: str
    remedy: str


class Interface(NamedTuple):
    """One way to learn which pages were written.

    `contract` says what a wrong probe result means here: a kernel can accept every call and track nothing.
    """

    name: str
    summary: str
    table: Any
    contract: Reason
    kernel_writes: bool = True  # False: what the kernel writes for the program, as in read(2), fails with EFAULT

    @property
    def tracks(self) -> bool:
        """False for the untracked baseline alone."""
        return bool(self.table.collect != ffi.NULL)

    @property
    def atomic(self) -> bool:
        """Whether it can collect and reset in one atomic step."""
        return bool(self.table.collect_reset != ffi.NULL)


VM = "or boot one that has it: ./bench.py run --where vm --kernel debian:6.12"
SOFT_DIRTY = Reason(
    "clear_refs takes the 4, but written pages do not become soft-dirty",
    f"build with CONFIG_MEM_SOFT_DIRTY, {VM}",
)

INTERFACES = {
    row.name: row
    for row in (
        Interface("none", "nothing tracked: the baseline of dirty", _table("none"), Reason("", "")),
        Interface("clear_refs", "write 4 to clear_refs, read pagemap bit 55", _table("clear_refs"), SOFT_DIRTY),
        Interface(
            "scan-softdirty",
            "write 4 to clear_refs, PAGEMAP_SCAN for PAGE_IS_SOFT_DIRTY",
            _table("scan_softdirty"),
            SOFT_DIRTY,
        ),
        Interface(
            "scan-wp",
            "PAGEMAP_SCAN write-protects and finds PAGE_IS_WRITTEN (userfaultfd WP_ASYNC)",
            _table("scan_wp"),
            Reason(
                "PAGEMAP_SCAN reports other pages than were written",
                "report this to the kernel's maintainers",
            ),
        ),
        Interface(
            "uffd-sync",
            "userfaultfd write protection, a thread answers each first write",
            _table("uffd_sync"),
            Reason("its handler notes other pages than were written", "report this to the kernel's maintainers"),
            kernel_writes=False,
        ),
        Interface(
            "mprotect",
            "read-only memory, a SIGSEGV handler notes each first write",
            _table("mprotect"),
            Reason("its handler notes other pages than were written", "report this to the kernel's maintainers"),
            kernel_writes=False,
        ),
    )
}

# (failed call, errno) -> reason. Any other pair is a real error and shown as it is.
_REFUSALS = {
    ("ioctl(PAGEMAP_SCAN)", errno.ENOTTY): Reason(
        "the kernel has no PAGEMAP_SCAN ioctl", f"boot Linux 6.7 or later, {VM}"
    ),
    ("ioctl(PAGEMAP_SCAN)", errno.EINVAL): Reason(
        "the kernel's PAGEMAP_SCAN has another ABI, or not this page category (PAGE_IS_SOFT_DIRTY: Linux 6.8)",
        f"boot Linux 6.8 or later, {VM}",
    ),
    ("userfaultfd", errno.ENOSYS): Reason("the kernel has no userfaultfd", f"build with CONFIG_USERFAULTFD, {VM}"),
    ("userfaultfd", errno.EPERM): Reason(
        "userfaultfd is refused to this process",
        "allow the system call (a container's seccomp profile refuses it)",
    ),
    ("userfaultfd", errno.EINVAL): Reason("userfaultfd has no USER_MODE_ONLY", f"boot Linux 5.11 or later, {VM}"),
    ("ioctl(UFFDIO_API, WP_ASYNC)", errno.EINVAL): Reason(
        "userfaultfd has no WP_ASYNC on this kernel or architecture",
        f"boot Linux 6.7 or later on x86-64 or arm64, {VM}",
    ),
    ("ioctl(UFFDIO_API, PAGEFAULT_FLAG_WP)", errno.EINVAL): Reason(
        "userfaultfd has no write protection on this kernel or architecture",
        f"boot Linux 5.7 or later on x86-64, {VM}",
    ),
    ("open(/proc/self/clear_refs)", errno.ENOENT): Reason(
        "the kernel has no /proc/PID/clear_refs", f"build with CONFIG_PROC_PAGE_MONITOR, {VM}"
    ),
    ("open(/proc/self/pagemap)", errno.ENOENT): Reason(
        "the kernel has no /proc/PID/pagemap", f"build with CONFIG_PROC_PAGE_MONITOR, {VM}"
    ),
    ("open(/proc/self/clear_refs)", errno.EACCES): Reason(
        "/proc/self/clear_refs is refused to this process",
        "run it as a process that may be traced (not set-user-ID)",
    ),
    ("open(/proc/self/pagemap)", errno.EACCES): Reason(
        "/proc/self/pagemap is refused to this process",
        "run it as a process that may be traced (not set-user-ID)",
    ),
}


def find(name: str) -> Interface:
    """Return the interface of that name. Raises BadInput that lists the names there are."""
    try:
        return INTERFACES[name]
    except KeyError:
        raise BadInput(f"there is no interface {name!r}", f"one of: {', '.join(INTERFACES)}") from None


def probe(interface: Interface) -> Reason | None:
    """Try the interface in a child process: None if it works, else the reason.

    A child, because a broken kernel interface may hang or kill its caller.
    """
    read, write = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        os.close(read)
        _probe_child(interface, write)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    _, status = os.waitpid(pid, 0)
    if text:
        found = json.loads(text)
        return Reason(*found) if found else None
    how = os.waitstatus_to_exitcode(status)
    if how == -signal.SIGALRM:
        return Reason(f"its probe did not end within {PROBE_SECONDS} s", "look at the kernel log")
    return Reason(f"its probe died ({how})", "look at the kernel log")


def _probe_child(interface: Interface, write: int) -> None:
    """Answer into the pipe and leave without running the parent's exit handlers."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PROBE_SECONDS)
        os.write(write, json.dumps(_try(interface)).encode())
        os._exit(0)
    finally:
        sys.excepthook(*sys.exc_info())  # reached by an exception only: a mistake of ours, worth its traceback
        os._exit(1)


def _try(interface: Interface) -> Reason | None:
    try:
        exact = not interface.tracks or _exact(interface)
    except OSError as error:
        call = (str(error.filename), error.errno or 0)
        return _REFUSALS.get(call) or Reason(f"{call[0]} failed: {error.strerror}", "this is not a known refusal")
    except Unsupported as error:
        return Reason(str(error), error.hint)
    return None if exact else interface.contract


def _exact(interface: Interface) -> bool:
    """Whether exactly the written pages are reported: twice over, then none, then one the kernel wrote."""
    pages = 8
    with Mapping(pages) as mapping, Tracker(interface.table, mapping) as tracker:
        patterns = [Pattern(array("I", order), pages) for order in ([5, 1, 4], [5, 1, 4], [])]
        forms = [False, True] if interface.atomic else [False]
        for atomic in forms:
            for pattern in patterns:
                if any(i.extra or i.missed for i in tracker.run(pattern, 2, atomic=atomic)):
                    return False
        tracker.reset()
        with open("/proc/self/stat", "rb", buffering=0) as stat:
            try:
                stat.readinto(memoryview(mapping.buffer())[2 * mapping.page_size :])
            except OSError as error:
                return not interface.kernel_writes and error.errno == errno.EFAULT and not tracker.collect()
        return interface.kernel_writes and tracker.collect() == [(2, 3)]


def probe_all() -> dict[str, Reason | None]:
    """Probe every interface, in the table's order."""
    return {name: probe(interface) for name, interface in INTERFACES.items()}
