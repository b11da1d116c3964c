# SPDX-License-Identifier: GPL-2.0-only
"""Where numbers come from: the machine, and what it takes to repeat them, as paragraphs."""

import re
import textwrap
from collections.abc import Sequence
from typing import Any

from bench.report.layout import command, paragraph
from bench.report.numbers import many

# label, fact, limit in characters: what readers of a cover letter ask for; the data have the rest
MACHINE = (
    ("CPU", "cpu_model_name", 200),
    ("CPUs", "cpu_count", 20),
    ("RAM, MiB", "memory_bytes", 20),
    ("kernel", "kernel_release", 100),
    ("version", "kernel_version", 200),
    ("config", "kernel_config", 600),
    ("image", "kernel_image", 200),
    ("command line", "cmdline", 200),
    ("mitigations", "mitigations", 300),
    ("THP setting", "thp_enabled", 20),
    ("governor", "governor", 20),
    ("disturbed by", "disturbances", 400),
    ("clock call, ns", "clock_ns", 20),
    ("system call, ns", "syscall_ns", 20),
)
ALL = {label for label, _, _ in MACHINE}
SHORT = {"CPU", "CPUs", "RAM, MiB", "version", "config", "mitigations", "THP setting", "governor"}
_COUNTED = "tcg-icount"  # where the clock counts instructions: nothing took nanoseconds
# What a release or version has in it that was built there.
_DISTRIBUTIONS = {
    "Debian": r"Debian \d",
    "Ubuntu": r"-Ubuntu\b",
    "Fedora": r"\.fc\d",
    "RHEL": r"\.el\d",
    "Arch": r"-arch\d",
    "Gentoo": r"-gentoo",
}
_DIGITS = 16  # of a hash


def machines(hosts: dict[str, dict[str, Any]], labels: set[str]) -> list[str]:
    """Return the paragraphs of several machines' facts, by name; those that are alike once."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, host in hosts.items():
        alike.setdefault(tuple(machine(host, labels)[1:]), []).append(name)
    return [line for facts, names in alike.items() for line in (paragraph(f"Machine of {', '.join(names)}:"), *facts)]


def machine(host: dict[str, Any], labels: set[str]) -> list[str]:
    """Return the paragraphs of a machine's facts."""
    lines = ["Machine:"]
    for label, key, limit in MACHINE:
        if key not in host or label not in labels or (host.get("where") == _COUNTED and label.endswith(", ns")):
            continue
        value = int(host[key]) >> 20 if key == "memory_bytes" else host[key]
        value = f"{value:.1f}" if isinstance(value, float) else str(value)
        lines.append(f"  {label}: {textwrap.shorten(value, limit, placeholder=' [...]')}")
    return [paragraph(line, hang="    ") for line in lines]


def repeat(*hosts: dict[str, Any], names: Sequence[str] = ()) -> list[str]:
    """Return the commands that repeat results, and with which kernel, suite and guest; nothing where it is unknown.

    names: of the results, where there are several; those of one command, a matrix, share it.
    """
    commands: dict[str, list[str]] = {}
    for i, host in enumerate(hosts):
        if "command" in host:
            exactly = "; ".join([kernel(host), *_suite(host), *_guest(host)])
            whose = f"{names[i]} " if names else ""
            commands.setdefault(str(host["command"]), []).append(f"{whose}with {exactly}")
    lines = []
    for line, known in commands.items():
        lines += [paragraph("To repeat:"), command(line), *(paragraph(one, hang="  ") for one in known)]
    return lines


def kernel(host: dict[str, Any]) -> str:
    """Name the exact kernel: the version of a distribution's package, or image, commit and config."""
    release = str(host.get("kernel_release", "unknown"))
    debian = re.search(r"Debian (\d\S*)", str(host.get("kernel_version")))
    known = [f"Debian's {debian[1]}"] if debian else []
    if commit := host.get("kernel_commit"):
        known.append(f"commit {str(commit)[:_DIGITS]}" + (", with changes" if host.get("kernel_dirty") else ""))
    for what, key in (("image", "kernel_sha256"), ("config", "config_sha256")):
        if digest := host.get(key):
            known.append(f"{what} sha256 {str(digest)[:_DIGITS]}")
    return f"Linux {release}" + (f" ({', '.join(known)})" if known else "")


def distribution(host: dict[str, Any]) -> str:
    """Name the distribution that built a kernel, where it says so; empty where not."""
    said = f"{host.get('kernel_release', '')} {host.get('kernel_version', '')}"
    return next((name for name, sign in _DISTRIBUTIONS.items() if re.search(sign, said)), "")


def _suite(host: dict[str, Any]) -> list[str]:
    version, commit = host.get("suite_version"), host.get("suite_commit")
    if not version:
        return []
    return [f"pagemap-bench {version}" + (f", commit {str(commit)[:_DIGITS]}" if commit else "")]


def _guest(host: dict[str, Any]) -> list[str]:
    """Memory and CPUs of a virtual machine: a guest of ours, or one that somebody else runs."""
    if host.get("where") == "bare-metal" or "memory_bytes" not in host:
        return []
    what = "a guest" if "kernel_image" in host else "a virtual machine"
    cpus = f", {many(int(host['cpu_count']), 'CPU')}" if "cpu_count" in host else ""
    return [f"{what} with {int(host['memory_bytes']) >> 20} MiB{cpus}"]
