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
from bench.mapping import ANON, KINDS, Layout, Mapping, Pattern, Tracker, ffi, lib

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
    flushes: bool = True  # False: a reset leaves TLB entries, through which a page written before can be written unseen

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

V6 = Reason(
    "the ioctl of v6's number and size tracks something else than soft-dirty, as v10 of February 2023 did",
    "boot a kernel with the v6 series: ./bench.py run --kernel IMAGE",
)
_NOT_V6 = Reason("the kernel has not the ioctl of the v6 series", V6.remedy)
_NOT_TRACEABLE = "run it as a process that may be traced (not set-user-ID)"

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
            "v6",
            "the v6 series of November 2022: GET and CLEAR of soft-dirty in one ioctl",
            _table("v6"),
            V6,
            flushes=False,
        ),
        Interface(
            "v6-no-reused",
            "v6 with PAGEMAP_NO_REUSED_REGIONS: the pages' bits alone, not VM_SOFTDIRTY",
            _table("v6_no_reused"),
            V6,
            flushes=False,
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
    ("ioctl(PAGEMAP_SCAN, v6)", errno.ENOTTY): _NOT_V6,
    ("ioctl(PAGEMAP_SCAN, v6)", errno.EINVAL): _NOT_V6,
    ("mprotect of another process", errno.EOPNOTSUPP): Reason(
        "no process can change the protection of another's memory", "track from inside: leave out --external"
    ),
    ("mmap(hugetlb)", errno.ENOMEM): Reason(
        "too few huge pages of 2 MiB are reserved",
        "reserve them, as root: echo N > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
    ),
    ("mmap(hugetlb)", errno.EINVAL): Reason("the kernel has no huge pages of 2 MiB", f"CONFIG_HUGETLBFS, {VM}"),
    ("ioctl(UFFDIO_REGISTER, MODE_WP)", errno.EINVAL): Reason(
        "userfaultfd can't write-protect this kind of memory here", "measure it on another --kind"
    ),
    ("ioctl(UFFDIO_REGISTER, MODE_WP)", errno.EPERM): Reason(
        "userfaultfd takes no shared mapping of a file opened for reading only", "open the file for writing"
    ),
    ("open(/proc/PID/clear_refs)", errno.ENOENT): Reason(
        "the kernel has no /proc/PID/clear_refs", f"build with CONFIG_PROC_PAGE_MONITOR, {VM}"
    ),
    ("open(/proc/PID/pagemap)", errno.ENOENT): Reason(
        "the kernel has no /proc/PID/pagemap", f"build with CONFIG_PROC_PAGE_MONITOR, {VM}"
    ),
    ("open(/proc/PID/clear_refs)", errno.EACCES): Reason(
        "/proc/PID/clear_refs is refused to this process",
        _NOT_TRACEABLE,
    ),
    ("open(/proc/PID/pagemap)", errno.EACCES): Reason(
        "/proc/PID/pagemap is refused to this process",
        _NOT_TRACEABLE,
    ),
}


def find(name: str) -> Interface:
    """Return the interface of that name. Raises BadInput that lists the names there are."""
    try:
        return INTERFACES[name]
    except KeyError:
        raise BadInput(f"there is no interface {name!r}", f"one of: {', '.join(INTERFACES)}") from None


def probe(interface: Interface, layout: Layout = ANON, pages: int = 0) -> Reason | None:
    """Try the interface in a child process, on memory made like that: None if it works, else the reason.

    pages: how much memory, where a few pages prove nothing.

    A child, because a broken kernel interface may hang or kill its caller.
    """
    read, write = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        os.close(read)
        _probe_child(interface, layout, pages, write)
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


def _probe_child(interface: Interface, layout: Layout, pages: int, write: int) -> None:
    """Answer into the pipe and leave without running the parent's exit handlers."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PROBE_SECONDS)
        os.write(write, json.dumps(_try(interface, layout, pages)).encode())
        os._exit(0)
    finally:
        sys.excepthook(*sys.exc_info())  # reached by an exception only: a mistake of ours, worth its traceback
        os._exit(1)


def refusal(error: OSError) -> Reason | None:
    """Return what a failed call of the core means where it is a known refusal."""
    return _REFUSALS.get((str(error.filename), error.errno or 0))


def _try(interface: Interface, layout: Layout, pages: int) -> Reason | None:
    pages = pages or max(8, 2 * KINDS[layout.kind].unit)
    try:
        with Mapping(pages, layout._replace(populated=None, watched=None, vmas=1)) as mapping:
            wrong = _wrong(interface, mapping) if interface.tracks else ""
    except OSError as error:
        return refusal(error) or Reason(f"{error.filename} failed: {error.strerror}", "this is not a known refusal")
    except Unsupported as error:
        return Reason(str(error), error.hint)
    if not wrong:
        return None
    if layout.kind == ANON.kind:
        return interface.contract
    return Reason(f"it can't track such memory: {wrong}", "measure it on another --kind")


def _wrong(interface: Interface, mapping: Mapping) -> str:
    """What was reported wrong, in words: of some pages written twice over, of none, and of one the kernel wrote.

    In huge pages the whole one may be reported for one page of it. An interface that does not flush the TLB is known to
    miss pages that were written before: it is asked about others each time.
    """
    unit = KINDS[mapping.layout.kind].unit  # pages that may be reported for each of them
    rounds = ([5, 1, 4], [5, 1, 4], []) if interface.flushes else ([5], [1, 4], [0])
    with Tracker(interface.table, mapping) as tracker:
        for atomic in [False, True] if interface.atomic and interface.flushes else [False]:
            for pattern in [Pattern(array("I", order), mapping.pages) for order in rounds]:
                for one in tracker.run(pattern, 2 if interface.flushes else 1, atomic=atomic):
                    if one.missed:
                        return f"{one.missed} of {pattern.written} written pages were not reported"
                    if one.extra > (unit - pattern.written if pattern.written and unit > 1 else 0):
                        return f"{one.extra} pages were reported that nobody wrote"
        if mapping.layout.outside is not None:
            return ""  # its memory is not ours to write to
        tracker.reset()
        with open("/proc/self/stat", "rb", buffering=0) as stat:
            try:
                stat.readinto(memoryview(mapping.buffer())[2 * mapping.page_size :])
            except OSError as error:
                known = not interface.kernel_writes and error.errno == errno.EFAULT and not tracker.collect()
                return "" if known else f"read(2) into it failed: {error.strerror}"
        found = tracker.collect()
        right = found in ([(2, 3)], [(0, unit)])
        return "" if right and interface.kernel_writes else "what read(2) wrote was not reported as it should be"


def probe_all(layout: Layout = ANON) -> dict[str, Reason | None]:
    """Probe every interface, in the table's order, on memory made like that."""
    return {name: probe(interface, layout) for name, interface in INTERFACES.items()}
