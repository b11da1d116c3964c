# SPDX-License-Identifier: GPL-2.0-only
"""Functional tests of the interfaces, that say why one can't be measured here."""

from __future__ import annotations

import errno
from array import array
from typing import TYPE_CHECKING

from bench.errors import Unsupported
from bench.measure import isolated
from bench.measure.core import Mapping, Pattern, Tracker
from bench.plan.interfaces import GUEST, INTERFACES, V6, Interface, Reason
from bench.plan.kinds import ANON, KINDS, Layout

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.plan.points import Point

PROBE_SECONDS = 5  # a probe that hangs is an answer too
PAGE_SECONDS = 2e-5  # more for each page that it needs: clearing one takes a hundredth of that on a real machine


_NOT_V6 = Reason("the kernel lacks the ioctl of the v6 series", V6.remedy)
_NOT_TRACEABLE = "run it as a process that may be traced (not set-user-ID)"

# (failed call, errno) -> reason. Any other pair is a real error and shown as it is.
_REFUSALS = {
    ("ioctl(PAGEMAP_SCAN)", errno.ENOTTY): Reason(
        "the kernel has no PAGEMAP_SCAN ioctl", f"boot Linux 6.7 or later, {GUEST}"
    ),
    ("ioctl(PAGEMAP_SCAN)", errno.EINVAL): Reason(
        "the kernel's PAGEMAP_SCAN has another ABI, or not this page category (PAGE_IS_SOFT_DIRTY: Linux 6.8)",
        f"boot Linux 6.8 or later, {GUEST}",
    ),
    ("userfaultfd", errno.ENOSYS): Reason("the kernel has no userfaultfd", f"build with CONFIG_USERFAULTFD, {GUEST}"),
    ("userfaultfd", errno.EPERM): Reason(
        "userfaultfd is refused to this process",
        "allow the system call (a container's seccomp profile refuses it)",
    ),
    ("userfaultfd", errno.EINVAL): Reason("userfaultfd has no USER_MODE_ONLY", f"boot Linux 5.11 or later, {GUEST}"),
    ("ioctl(UFFDIO_API, WP_ASYNC)", errno.EINVAL): Reason(
        "userfaultfd has no WP_ASYNC on this kernel or architecture",
        f"boot Linux 6.7 or later on x86-64 or arm64, {GUEST}",
    ),
    ("ioctl(UFFDIO_API, PAGEFAULT_FLAG_WP)", errno.EINVAL): Reason(
        "userfaultfd has no write protection on this kernel or architecture",
        f"boot Linux 5.7 or later on x86-64, {GUEST}",
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
    ("mmap(hugetlb)", errno.EINVAL): Reason("the kernel has no huge pages of 2 MiB", f"CONFIG_HUGETLBFS, {GUEST}"),
    ("ioctl(UFFDIO_REGISTER, MODE_WP)", errno.EINVAL): Reason(
        "userfaultfd can't write-protect this kind of memory here", "measure it on another --kind"
    ),
    ("ioctl(UFFDIO_REGISTER, MODE_WP)", errno.EPERM): Reason(
        "userfaultfd takes no shared mapping of a file opened for reading only", "open the file for writing"
    ),
    ("open(/proc/PID/clear_refs)", errno.ENOENT): Reason(
        "the kernel has no /proc/PID/clear_refs", f"build with CONFIG_PROC_PAGE_MONITOR, {GUEST}"
    ),
    ("open(/proc/PID/pagemap)", errno.ENOENT): Reason(
        "the kernel has no /proc/PID/pagemap", f"build with CONFIG_PROC_PAGE_MONITOR, {GUEST}"
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


def probe(interface: Interface, layout: Layout = ANON, pages: int = 0) -> Reason | None:
    """Try the interface in a child process, on memory made like that: None if it works, else the reason.

    pages: how much memory, where a few pages prove nothing.

    A child, because a broken kernel interface may hang or kill its caller.
    """
    seconds = PROBE_SECONDS + pages * PAGE_SECONDS
    said, trouble = isolated.run(lambda say: say(_try(interface, layout, pages)), seconds)
    if said and not trouble:
        return Reason(*said[0]) if said[0] else None
    return Reason(f"in its probe {trouble}", "look at the kernel log")


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
    with Tracker(interface.name, mapping) as tracker:
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


def survey(names: Iterable[str], points: Iterable[Point], directory: str) -> dict[str, Reason]:
    """Try interfaces on every sort of memory that the points have; return why some can't be measured.

    By interface; by `NAME on MEMORY` (Point.elsewhere_name), where only that memory is the trouble; by MEMORY, where
    nothing can be measured there.
    """
    base = {name: probe(INTERFACES[name]) for name in names}
    reasons = {name: why for name, why in base.items() if why}
    where: dict[str, Point] = {}
    for point in points:
        known = where.setdefault(point.elsewhere_name, point)
        if point.pages > known.pages:
            where[point.elsewhere_name] = point
    for memory, largest in where.items():
        kind, external = largest.elsewhere
        layout = Layout(kind, directory=directory, outside=-1 if external else None)
        working = [name for name in base if not base[name]]
        if layout != Layout(directory=directory):
            pages = largest.pages if largest.huge_pages else 0
            if why := probe(next(row for row in INTERFACES.values() if not row.tracks), layout, pages):
                reasons[memory] = why
                continue
            found = {name: probe(INTERFACES[name], layout) for name in working}
            reasons |= {f"{name} on {memory}": why for name, why in found.items() if why}
            working = [name for name in working if not found[name]]
        if not any(INTERFACES[name].tracks for name in working):
            reasons.setdefault(memory, Reason("no interface can track it here", "./bench.py probe says why"))
    return reasons
