# SPDX-License-Identifier: GPL-2.0-only
"""Functional tests of the interfaces: why one can't be measured here, or what it answers wrong."""

from __future__ import annotations

import errno
import os
from array import array
from typing import TYPE_CHECKING, NamedTuple

from bench.errors import Unsupported
from bench.measure import answers, isolated
from bench.measure.core import Mapping, Pattern, Tracker
from bench.plan import arches
from bench.plan.interfaces import GUEST, INTERFACES, UNTRACKED, V6, Interface, Reason
from bench.plan.kinds import ANON, KINDS, Ask, Layout

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.plan.points import Point

PROBE_PAGES = 128  # a kernel may take another way where there are few
PROBE_SECONDS = 10  # a probe that hangs is an answer too: one takes 0.1 s where it is emulated
PAGE_SECONDS = 2e-5  # more for each page that it needs: clearing one takes a hundredth of that on a real machine


_NOT_V6 = Reason("the kernel lacks the ioctl of the v6 series", V6.remedy)
_NO_SOFT_DIRTY = Reason("no write to such memory becomes soft-dirty", "measure it on another --kind")
_NO_RWP = Reason(
    "userfaultfd has no tracking of accesses (RWP) on this kernel or architecture",
    "boot Linux 7.3 or later, or one that has it: ./bench.py run --where vm --kernel debian:7.3",
)
_NOT_ROOT = Reason(
    "page frames, by which idle pages are tracked, are root's alone (CAP_SYS_ADMIN)", "run as root, or in a guest"
)
OURS = "BENCH_GUEST"  # in the environment where the machine is ours, and its settings may be changed: bench/vm/init.py
_NOT_OURS = Reason(
    "DAMON is the whole machine's, and a run that is killed would leave it on", "measure it in a guest: --where vm"
)
_DAMON_BUSY = Reason(
    "DAMON is used by somebody else, which would be disturbed",
    "end that (damo stop; of DAMON_STAT: echo N > /sys/module/damon_stat/parameters/enabled)",
)
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
        f"boot Linux 6.7 or later on x86-64 or arm64, 7.2 on riscv64, {GUEST}",
    ),
    ("ioctl(UFFDIO_API, RWP_ASYNC)", errno.EINVAL): _NO_RWP,
    ("ioctl(UFFDIO_API, RWP)", errno.EINVAL): _NO_RWP,
    ("open(/proc/PID/smaps)", errno.ENOENT): Reason(
        "the kernel has no /proc/PID/smaps", f"build with CONFIG_PROC_PAGE_MONITOR, {GUEST}"
    ),
    ("open(page_idle/bitmap)", errno.ENOENT): Reason(
        "the kernel has no tracking of idle pages", "build with CONFIG_IDLE_PAGE_TRACKING"
    ),
    ("open(page_idle/bitmap)", errno.EACCES): _NOT_ROOT,
    ("open(page_idle/bitmap)", errno.EPERM): _NOT_ROOT,
    ("frames in /proc/PID/pagemap", errno.EPERM): _NOT_ROOT,
    ("open(damon)", errno.ENOENT): Reason(
        "the kernel has no DAMON with files for it", "build with CONFIG_DAMON_VADDR and CONFIG_DAMON_SYSFS"
    ),
    ("open(damon)", errno.EACCES): Reason("DAMON is root's alone", "run as root, or in a guest"),
    ("DAMON of somebody else", errno.EBUSY): _DAMON_BUSY,
    ("write(damon/state, on)", errno.EBUSY): _DAMON_BUSY,
    ("ioctl(UFFDIO_REGISTER, MODE_RWP)", errno.EINVAL): Reason(
        "userfaultfd can't protect this kind of memory against reads here", "measure it on another --kind"
    ),
    ("ioctl(UFFDIO_API, PAGEFAULT_FLAG_WP)", errno.EINVAL): Reason(
        "userfaultfd has no write protection on this kernel or architecture",
        f"boot Linux 5.7 or later on x86-64, {GUEST}",
    ),
    ("ioctl(PAGEMAP_SCAN, v6)", errno.ENOTTY): _NOT_V6,
    ("ioctl(PAGEMAP_SCAN, v6)", errno.EINVAL): _NOT_V6,
    ("ioctl(PAGEMAP_SCAN, v6)", errno.EPERM): V6,
    ("wiping another process's memory", errno.EOPNOTSUPP): Reason(
        "no process can wipe another's memory as its own", "leave out --external"
    ),
    ("mprotect of another process", errno.EOPNOTSUPP): Reason(
        "no process can change the protection of another's memory", "track from inside: leave out --external"
    ),
    ("mmap(hugetlb)", errno.ENOMEM): Reason(
        "too few huge pages of 2 MiB are reserved",
        "reserve them, as root: echo N > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
    ),
    ("mmap(hugetlb)", errno.EINVAL): Reason("the kernel has no huge pages of 2 MiB", f"CONFIG_HUGETLBFS, {GUEST}"),
    ("madvise(MADV_HUGEPAGE)", errno.EINVAL): Reason(
        "the kernel has no transparent huge pages", f"build with CONFIG_TRANSPARENT_HUGEPAGE, {GUEST}"
    ),
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


class Probed(NamedTuple):
    """What came of a probe: why the interface can't be measured here, and what it answered wrong; neither if it works.

    A refusal is no wrong answer, and a wrong answer no refusal: it is measured all the same.
    """

    refused: Reason | None = None
    wrong: str = ""


def probe(interface: Interface, layout: Layout = ANON, pages: int = 0) -> Probed:
    """Try the interface in a child process, on memory made like that.

    pages: how much memory, where a few pages prove nothing.

    A child, because a broken kernel interface may hang or kill its caller. Then it is both: not measured, and wrong.
    """
    if interface.samples and OURS not in os.environ:
        return Probed(_NOT_OURS)
    seconds = PROBE_SECONDS + pages * PAGE_SECONDS
    said, trouble = isolated.run(lambda say: say(_try(interface, layout, pages)), seconds, interface.name)
    if said and not trouble:
        refused, wrong = said[0]
        return Probed(Reason(*refused) if refused else None, wrong)
    return Probed(Reason(f"in its probe {trouble}", "look at the kernel log"), f"its probe came to no end: {trouble}")


def refusal(error: OSError) -> Reason | None:
    """Return what a failed call of the core means where it is a known refusal."""
    return _REFUSALS.get((str(error.filename), error.errno or 0))


def _try(interface: Interface, layout: Layout, pages: int) -> Probed:
    pages = pages or max(PROBE_PAGES, 2 * KINDS[layout.kind].unit)
    try:
        with Mapping(pages, layout._replace(populated=None, watched=None, vmas=1)) as mapping:
            found = list(answers.answers(interface, mapping)) if interface.tracks else []
            if interface.instead and (why := _instead(interface, mapping)):
                return Probed(why)
        wrong = "" if interface.samples else next((one.wrong for one in found if one.wrong), "")
        if wrong and layout.kind == ANON.kind and interface.nothing and answers.unaware(interface, found):
            return Probed(_nothing(interface, interface.nothing))
    except OSError as error:
        why = refusal(error) or Reason(f"{error.filename} failed: {error.strerror}", "this is not a known refusal")
        return Probed(why)
    except Unsupported as error:
        return Probed(Reason(str(error), error.hint))
    if wrong and interface.soft_dirty and not KINDS[layout.kind].soft_dirty and answers.same(found):
        return Probed(_NO_SOFT_DIRTY)
    return Probed(wrong=wrong)


def _nothing(interface: Interface, usual: Reason) -> Reason:
    """Why an interface takes every call and tracks nothing: its usual reason, unless the architecture has another."""
    why = arches.lacking(os.uname().machine, interface.options)
    return Reason(why, "measure it on x86-64; in a guest, leave out --arch") if why else usual


def _instead(interface: Interface, mapping: Mapping) -> Reason | None:
    """Why something can't stand in for tracking on this memory."""
    if interface.instead != "copy":
        Tracker(interface.name, mapping).close()
        return None
    with Tracker(interface.name, mapping, Ask(then="copy")) as tracker:
        found = tracker.run(Pattern(array("I", [5, 1, 4]), mapping.pages), 3, atomic=False)
    if not any(one.missed for one in found):
        return None
    return Reason("what is written later reaches its copy: the memory is shared", "measure it on a private --kind")


def probe_all(layout: Layout = ANON) -> dict[str, Probed]:
    """Probe every interface, in the table's order, on memory made like that."""
    return {name: probe(interface, layout) for name, interface in INTERFACES.items()}


def survey(names: Iterable[str], points: Iterable[Point], directory: str) -> tuple[dict[str, Reason], dict[str, str]]:
    """Try interfaces on every sort of memory that the points have: why some can't be measured, what some answer wrong.

    Both by interface; by `NAME on MEMORY` (Point.elsewhere_name), where only that memory is the trouble; reasons also
    by MEMORY, where nothing can be measured there.
    """
    found = {name: probe(INTERFACES[name]) for name in names}
    base = dict(found)
    largest: dict[str, Point] = {}
    for point in points:
        known = largest.setdefault(point.elsewhere_name, point)
        if point.pages > known.pages:
            largest[point.elsewhere_name] = point
    for memory, point in largest.items():
        kind, external = point.elsewhere
        layout = Layout(kind, directory=directory, outside=-1 if external else None)
        working = [name for name in base if not base[name].refused]
        if layout != Layout(directory=directory):
            pages = point.pages if point.huge_pages else 0
            untracked = probe(INTERFACES[UNTRACKED], layout, pages)
            if untracked.refused:
                found[memory] = untracked
                continue
            there = {name: probe(INTERFACES[name], layout) for name in working}
            found |= {f"{name} on {memory}": one for name, one in there.items()}
            working = [name for name in working if not there[name].refused]
        if all(INTERFACES[name].baseline for name in working):
            found.setdefault(memory, Probed(Reason("no interface can track it here", "./bench.py probe says why")))
    reasons = {what: one.refused for what, one in found.items() if one.refused}
    return reasons, {what: one.wrong for what, one in found.items() if one.wrong}
