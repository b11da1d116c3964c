# SPDX-License-Identifier: GPL-2.0-only
"""Asks Debian's archive through apt with lists and settings of our own: no root, apt's own verification."""

import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from bench import processes
from bench.errors import BadInput, Unsupported
from bench.plan.arches import ARCHES, USUAL
from bench.vm import cache

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_STAMP = "updated"
_FRESH_SECONDS = 24 * 3600
_SECONDS = 1800.0  # for a package or all lists, over a slow network
_OR_IMAGE = "or give a kernel of your own with --kernel IMAGE"

# Read after the machine's own settings, so that its proxy counts and its hooks, pins and paths don't.
_SETTINGS = """\
#clear APT::Update;
#clear APT::Default-Release;
#clear APT::Architectures;
APT::Architecture "{arch}";
APT::Architectures "{arch}";
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::State "{root}";
Dir::State::lists "{root}/lists";
Dir::State::status "/dev/null";
Dir::Cache "{root}/cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Etc::sourcelist "{root}/sources.list";
Dir::Etc::sourceparts "{root}/none";
Dir::Etc::preferences "{root}/none/preferences";
Dir::Etc::preferencesparts "{root}/none";
"""


def refresh(echo: Callable[[str], None], arch: str = USUAL) -> None:
    """Bring the package lists of an architecture, as Debian calls it, up to date unless that was done within a day."""
    with cache.lock(_folder(arch), echo):
        _refresh(echo, arch)


def _refresh(echo: Callable[[str], None], arch: str) -> None:
    root = _root(arch)
    stamp, sources = root / _STAMP, root / "sources.list"
    _check_tools()
    text = _sources(_mirror(), arch)
    for name in ("lists/partial", "cache/archives/partial", "none"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "apt.conf").write_text(_SETTINGS.format(root=root, arch=arch))
    fresh = stamp.exists() and time.time() - stamp.stat().st_mtime < _FRESH_SECONDS
    if fresh and sources.exists() and sources.read_text() == text:
        return
    stamp.unlink(missing_ok=True)
    sources.write_text(text)
    echo(f"fetching Debian's package lists{'' if arch == USUAL else f' for {arch}'}")
    done = _apt(arch, "apt-get", "update", "-q")
    if done.returncode == 0 and "Failed to fetch" not in done.stderr:  # then it ends with 0 all the same
        stamp.touch()
    elif any((root / "lists").glob("*Packages*")):  # one suite may have moved away; the others serve
        echo(f"warning: apt-get update: {_complaint(done)}")
    else:
        raise Unsupported(
            f"apt can't fetch Debian's package lists: {_complaint(done)}",
            f"check the network and the mirror (BENCH_DEBIAN_MIRROR), {_OR_IMAGE}",
        )


def packages(name: re.Pattern[str], arch: str = USUAL) -> list[tuple[str, str, str]]:
    """Return (package, version, suite) of every package whose whole name matches."""
    with cache.lock(_folder(arch)):
        names = [line for line in _apt(arch, "apt-cache", "pkgnames").stdout.splitlines() if name.fullmatch(line)]
        lines = _apt(arch, "apt-cache", "madison", *names).stdout.splitlines() if names else []
    rows = [[field.strip() for field in line.split("|")] for line in lines]
    return [
        (package, version, source.split()[-3].split("/")[0])
        for package, version, source in rows
        if source.endswith(" Packages")
    ]


def download(package: str, target: Path, arch: str = USUAL) -> Path:
    """Download `package` (name=version), verified by apt, into the folder `target`; return the file."""
    with cache.lock(_folder(arch)):
        done = _apt(arch, "apt-get", "download", "-q", package, cwd=target)
        found = list(target.glob(f"{package.partition('=')[0]}_*.deb"))
        if done.returncode != 0 or not found:
            (_root(arch) / _STAMP).unlink(missing_ok=True)  # the lists may be older than the archive
    if done.returncode != 0 or not found:
        raise Unsupported(f"apt can't download {package}: {_complaint(done)}", f"check the network, {_OR_IMAGE}")
    return found[0]


def _folder(arch: str) -> str:
    """The folder of the cache, with a lock of its own: kernels of two page sizes, and Python, share one."""
    return "apt" if arch == USUAL else f"apt-{arch}"


def _root(arch: str) -> Path:
    return cache.folder(_folder(arch))


def _apt(arch: str, command: str, *arguments: str, cwd: Path | None = None) -> processes.Finished:
    conf = _root(arch) / "apt.conf"
    return _run([command, "-c", str(conf), *arguments], cwd)


def _run(command: list[str], cwd: Path | None = None) -> processes.Finished:
    environment = {**os.environ, "LC_ALL": "C"}
    return processes.run(command, _SECONDS, env=environment, cwd=cwd)


def _complaint(done: processes.Finished) -> str:
    """Return what went wrong: the first error, else the first warning, since warnings of other things come first."""
    lines = [line for kind in ("E:", "W:") for line in done.stderr.splitlines() if line.startswith(kind)]
    return lines[0][2:].strip() if lines else f"exit status {done.returncode}"


def _check_tools() -> None:
    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Unsupported(f"no {tool} on this machine to fetch Debian's kernels with", _OR_IMAGE[3:])
    if not _KEYRING.exists():
        raise Unsupported(
            f"no {_KEYRING} to check Debian's kernels with", f"install debian-archive-keyring, {_OR_IMAGE}"
        )


def _sources(mirror: str, arch: str) -> str:
    # target=Packages: some machines' apt would fetch icons and file lists as well
    options = f"arch={arch} signed-by={_KEYRING} target=Packages"
    suites = next(row.suites for row in ARCHES.values() if row.debian == arch)
    return "".join(f"deb [{options}] {mirror} {suite} main\n" for suite in suites)


def _mirror() -> str:
    """Return the Debian mirror this machine's apt uses already, or the one of BENCH_DEBIAN_MIRROR."""
    given = os.environ.get("BENCH_DEBIAN_MIRROR")
    if given:
        if not re.fullmatch(r"[a-z+]+:\S+", given):
            raise BadInput(f"BENCH_DEBIAN_MIRROR={given!r} is no URI", "it looks like http://HOST/debian")
        return given.rstrip("/")
    targets = _run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)"]).stdout
    found = re.findall(r"^Debian (\S+?)/?$", targets, re.MULTILINE)
    if not found:  # images of machines often come without lists: then nobody names an origin
        planned = _run(["apt-get", "update", "--print-uris"]).stdout
        found = re.findall(r"^'(\S+/debian[^/\s]*)/dists/", planned, re.MULTILINE)
    for uri in found:
        if "security" not in uri:
            return str(uri)
    raise Unsupported(
        "this machine's apt knows no Debian mirror to fetch a kernel from",
        f"set BENCH_DEBIAN_MIRROR to one (http://HOST/debian), {_OR_IMAGE}",
    )
