# SPDX-License-Identifier: GPL-2.0-only
"""Finds out at which addresses a kernel's functions are: from its System.map, or by asking it in a short boot."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bench import reading
from bench.errors import BadInput, BenchError, Unsupported
from bench.files import replacing
from bench.plan.arches import ARCHES, USUAL, Arch
from bench.plan.records import LONGEST_FUNCTION
from bench.vm import bzimage, cache, qemu

_TEXT = re.compile(rf"([0-9a-f]{{16}}) [tTwW] (\S{{1,{LONGEST_FUNCTION}}})")
_KEPT = re.compile(r"[0-9a-f]{16} \S+")
_BORDER = re.compile(r"_.*_(start|end)|_[se]?text")  # of a section, which begins or ends with a function
_BUILT = {row.image for row in ARCHES.values()}  # names that an image has where it was built
_FORM = 2  # of the file that is kept
_MOST = 1 << 27  # bytes of a System.map: that of a kernel with everything has some 30 MiB
_SECONDS = 120.0
_MEMORY_MIB = 704
# Runs in the guest. Names of modules have their module behind them; addresses of all others are in the upper half.
_ASK = """
import base64, re, zlib
text = re.findall(rb"^f[0-9a-f]{15} [tTwW] \\S+$", open("/proc/kallsyms", "rb").read(), re.M)
data = base64.b64encode(zlib.compress(b"\\n".join(text), 6))
for at in range(0, len(data), 4096):
    print(data[at : at + 4096].decode())
"""


def find(image: Path, echo: Callable[[str], None], arch: Arch = ARCHES[USUAL]) -> Path:
    """Return a file of the kernel's functions, a line each with address and name, in order.

    Raises Unsupported, and BadInput for a System.map that can't be read.
    """
    digest = bzimage.digest(image)
    known = "".join(functions(_map_of(image), arch))
    source = hashlib.sha256(known.encode()).hexdigest()[:16] if known else "asked"
    kept = cache.folder("symbols") / f"{digest[:32]}-{source}-{_FORM}"
    with cache.lock("symbols", echo):
        if not cache.usable(kept, lambda found: _whole(found, arch)):
            lines = known or functions(_asked(image, echo, arch), arch)
            if not lines:
                raise Unsupported(f"{image.name} does not say where its functions are", "set CONFIG_KALLSYMS=y")
            with replacing(kept) as file:
                file.write("".join(lines).encode())
    return kept


def functions(symbols: Iterable[str], arch: Arch = ARCHES[USUAL]) -> list[str]:
    """Return lines for the plugin from those of System.map or /proc/kallsyms; none where what it needs is not there.

    Of several names of one address the first is shown: a function's, without a prefix, of those the shortest.
    """
    found = [match.groups() for line in symbols if (match := _TEXT.fullmatch(line.rstrip()))]
    if arch.symbols - {name for _, name in found}:
        return []
    # __pfx_: the padding before a function, which is never executed
    real = [(address, name) for address, name in found if not name.startswith("__pfx_")]
    real.sort(key=lambda one: (one[0], bool(_BORDER.fullmatch(one[1])), one[1].startswith("_"), len(one[1]), one[1]))
    return [f"{address} {name}\n" for address, name in real]


def _whole(kept: bytes, arch: Arch = ARCHES[USUAL]) -> bool:
    """Whether a file that was kept begins and ends with a line, and has what is needed."""
    first = kept.partition(b"\n")[0].decode(errors="replace")
    needed = all(f" {name}\n".encode() in kept for name in arch.symbols)
    return bool(_KEPT.fullmatch(first)) and needed and kept.endswith(b"\n")


def _map_of(image: Path) -> Iterator[str]:
    """Yield the lines of the image's System.map: beside it, in /boot or above a built one. Debian's are stubs."""
    release = image.name.removeprefix("vmlinuz-")
    places = [image.with_name(f"System.map-{release}")]
    if image.name in _BUILT:  # one of several images in a folder would take that of another
        places.append(image.with_name("System.map"))
    places += [parent / "System.map" for parent in image.resolve().parents[3:4]]
    for place in places:
        # A newer one is of a kernel that was linked since, or nobody knows.
        if place.is_file() and place.stat().st_mtime <= image.stat().st_mtime:
            try:
                text = reading.whole(place, _MOST, errors="replace")
            except BadInput as error:
                raise BadInput(f"{place}: {error}", "give an image with the System.map of its build, or none") from None
            yield from io.StringIO(text)
            return


def _asked(image: Path, echo: Callable[[str], None], arch: Arch) -> list[str]:
    """Boot the kernel and have it print its symbols. Raises Unsupported."""
    echo(f"asking {image.name} where its functions are: once, in a boot of its own")
    accel = qemu.accelerator("tcg", image, [], echo, arch=arch)._replace(kernel_options=qemu.SAME_ADDRESSES)
    try:
        said = list(
            qemu.boot(
                image,
                ["-c", _ASK],
                accel,
                packages=[],
                memory_mib=_MEMORY_MIB,
                cpus=1,
                time_limit=_SECONDS,
                log=None,
                echo=lambda _: None,
            )
        )
        return zlib.decompress(base64.b64decode("".join(said))).decode().splitlines()
    except (BenchError, zlib.error, binascii.Error, UnicodeDecodeError) as error:
        raise Unsupported(f"{image.name} could not be asked where its functions are: {error}") from None
