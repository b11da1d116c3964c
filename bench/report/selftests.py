# SPDX-License-Identifier: GPL-2.0-only
"""The page that compares the kernel's selftests with this suite: python -m bench.report.selftests."""

from __future__ import annotations

from collections.abc import Iterator

from bench.plan.selftests import CHECKS, COVERED, FOLDER, OUT, PLANS, Check

PAGE = "results/selftests.md"
_HEAD = f"""\
<!-- SPDX-License-Identifier: GPL-2.0-only; made by: make examples -->
# The kernel's selftests, and what this suite has of them

The checks in the kernel's `{FOLDER}` that are about written pages. *Same*: a scenario plays it. *More*: it is
played, or measured with the option named, and besides what the last column says. A scenario compares all pages that are
reported with all whose content changed, with every interface that the kernel has: `./bench.py run --suite meaning
--filter NAME`.
"""


def page() -> str:
    """Return the page, in Markdown."""
    return "\n".join([_HEAD, *_summary(), "", *(line for file in CHECKS for line in _section(file))]) + "\n"


def _summary() -> Iterator[str]:
    yield "| file | Linux | checks | " + " | ".join(COVERED) + " |"
    yield "| --- " * (3 + len(COVERED)) + "|"
    for file, checks in CHECKS.items():
        counts = [sum(one.times for one in checks if one.covered == what) for what in COVERED]
        total, release = PLANS[file]
        yield f"| {file} | {release} | {total} | " + " | ".join(map(str, counts)) + " |"


def _section(file: str) -> Iterator[str]:
    yield f"## {file}"
    yield "| function | check | how many | here | played or measured by | what is more, or why it is left out |"
    yield "| --- | --- | --- | --- | --- | --- |"
    yield from (_row(one) for one in CHECKS[file])
    yield ""


def _row(one: Check) -> str:
    ours = ", ".join(f"`{name}`" for name in one.ours) or "-"
    here = f"**{one.covered}**" if one.covered == OUT else one.covered
    return f"| {one.function} | {one.check} | {one.times} | {here} | {ours} | {one.why or '-'} |"


if __name__ == "__main__":
    print(page(), end="")
