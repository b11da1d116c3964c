# SPDX-License-Identifier: GPL-2.0-only
"""The only reasons for which a test may be skipped: `pytest --only-skips PLACE` fails what is skipped for another."""

import re

_ANYWHERE = {
    "ioctl of the v6 series": "no kernel to be had from Debian has it",
    "another.s memory": "no kernel lets mprotect reach into another process",
    "one handler of SIGSEGV": "no process has two, so mprotect has no second tracker there",
    "no /dev/kvm": "a trial of KVM can't be interrupted where there is none",
    "tracking of accesses .RWP.": "it came with Linux 7.3, of which a guest is measured in tests/test_guests.py",
    "no tracking of idle pages": "none of Debian's kernels is built with it",
    "no DAMON with files for it": "it came with Linux 5.18, and not all kernels are built with it",
    "the kernel log is not readable": "only who owns the machine may read it",
    "no man to read|no dpkg-parsechangelog": "small systems have neither, and mandoc reads the manual page too",
    "calls succeed here|works here": "the test is about what a kernel refuses, and this one does not",
}
_GUEST = _ANYWHERE | {"hugetlb: no write to such": "soft-dirty bits of huge pages are never set by a write"}
ALLOWED = {
    "here": _ANYWHERE
    | {
        "do not become soft-dirty|has no PAGEMAP_SCAN": "the running kernel lacks an interface; those of guests do not",
        "DAMON is (used by somebody else|the whole machine.s)": "a guest is measured with it",
        "pages of 2 MiB are reserved": "only who owns the machine may reserve some; guests do",
        "folios of .* for 0 of|no folios of": "only who owns the machine may allow folios of a size; guests do",
        "no (time namespace|memory cgroup) can be made here": "only who owns the machine may make one",
        "no qemu-system-riscv64|doesn't know the CPU rv64": "QEMU 7.2, which Debian 12 has, lacks its CPU; 11.1 has it",
    },
    "debian:6.12": _GUEST | {"one CPU": "a race needs two, and that guest has one"},
    "debian:6.1": _GUEST
    | {
        "the kernel has no PAGEMAP_SCAN ioctl": "it came with Linux 6.7",
        "no folios of": "they came with Linux 6.8",
    },
}


def allowed(place: str, reason: str) -> bool:
    """Whether a test may be skipped there for this reason."""
    return any(re.search(pattern, reason) for pattern in ALLOWED[place])
