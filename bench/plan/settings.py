# SPDX-License-Identifier: GPL-2.0-only
"""Settings of a point: how the command line takes each, and how names say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from bench.plan.bystanders import BYSTANDERS
from bench.plan.kinds import KINDS, POPULATE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def size(count: int) -> str:
    """Bytes in the largest whole unit: 2MiB, 64KiB."""
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if count and not count % (1 << shift):
            return f"{count >> shift}{unit}"
    return f"{count}B"


MEMORY, ASKING = "Memory and writers", "How collect asks"  # groups of settings, as in --help


class Setting(NamedTuple):
    """A field of Point as the command line takes it and as names say it.

    `sort`: how its values are typed, one of words, counts, percents, sizes or flag (bench/run/options.py).
    """

    option: str
    sort: str
    named: Callable[[Any], str]
    help: str
    group: str = MEMORY


def _same(value: Any) -> str:
    return str(value)


# fmt: off
SETTINGS: Mapping[str, Setting] = {
    "kind": Setting("--kind", "words", "kind={}".format, f"Kinds of memory: {', '.join(KINDS)}."),
    "writers": Setting("--writers", "counts", "writers={}".format, "Numbers of threads that write."),
    "sharing": Setting("--sharing", "words", _same,
                       "disjoint: each writer has its part of the pages; shared: each writes all of them; overlapping: "
                       "each its part, and meanwhile half of the next one's."),
    "concurrent": Setting("--concurrent", "flag", lambda _: "concurrent",
                          "Collect while the writers write, not only after them."),
    "external": Setting("--external", "flag", lambda _: "external", "Track another process, as CRIU does."),
    "vmas": Setting("--vmas", "counts", "vmas={}".format, "Numbers of VMAs that the mapping is cut into."),
    "watch_percent": Setting("--watch", "percents", "watch={:g}%".format,
                             "Part of the mapping that is tracked, in percent."),
    "populated_percent": Setting("--populated", "percents", "populated={:g}%".format,
                                 "Part of the mapping that has memory behind it, in percent."),
    "populate": Setting("--populate", "words", "populate={}".format, f"How memory gets there: {', '.join(POPULATE)}."),
    "first": Setting("--first", "flag", lambda _: "first",
                     "Measure only the first interval of each fresh mapping, not later ones."),
    "ballast": Setting("--ballast", "sizes", lambda n: f"ballast={size(n)}",
                       "Other resident memory of the process, in bytes."),
    "vec_len": Setting("--vec-len", "counts", "vec_len={}".format,
                       "Most regions that one ioctl may return; 0: no limit.", ASKING),
    "max_pages": Setting("--max-pages", "counts", "max_pages={}".format,
                         "Most pages that one ioctl may report; 0: no limit.", ASKING),
    "read_bytes": Setting("--read", "sizes", lambda n: f"read={size(n) if n else 'one'}",
                          "Bytes of pagemap in one read(2); 0: all in one.", ASKING),
    "masks": Setting("--masks", "words", "masks={}".format,
                     "What the ioctl asks for. fast: the one category of the kernel's fast path; extra: more.",
                     ASKING),
    "every_us": Setting("--every", "counts", "every={}us".format,
                        "Microseconds from one interval to the next, the caller's rhythm; 0: at once.", ASKING),
    "scanners": Setting("--scanners", "counts", "scanners={}".format,
                        "Numbers of threads that ask at once, each about chunks of its own.", ASKING),
    "paced": Setting("--paced", "counts", "paced={}".format,
                     "How many of the writers have a rhythm, and do not write as fast as they can."),
    "budget": Setting("--budget", "counts", "budget={}".format, "Pages that they write in each period."),
    "period_us": Setting("--period", "counts", "period={}us".format, "Microseconds of a period."),
    "trackers": Setting("--trackers", "counts", "trackers={}".format,
                        "Trackers at work at once, each in a thread of its own on its part of the pages.", ASKING),
    "targets": Setting("--targets", "counts", "targets={}".format,
                       "With --external: processes that are tracked at once, and share the pages.", ASKING),
    "read_percent": Setting("--reads", "percents", "reads={:g}%".format,
                            "Part of the accesses that are reads and not writes, in percent."),
    "life": Setting("--life", "words", "life={}".format,
                    "A tracker's whole life: opened, armed, and after the intervals disarmed and closed, each phase on "
                    "the clock. idle: nobody writes while tracking ends; busy: the writers do."),
    "prior_percent": Setting("--prior", "percents", "prior={:g}%".format,
                             "Part of the mapping that is reset once before, untimed: where a reset cuts VMAs."),
    "bystanders": Setting("--bystanders", "words", "bystanders={}".format,
                          f"What others do meanwhile, whose waiting is measured: {', '.join(BYSTANDERS)}."),
    "then": Setting("--then", "words", "then={}".format,
                    "What is done with the pages reported, as a phase: copy them to a backup, or wipe them.", ASKING),
}
# fmt: on
