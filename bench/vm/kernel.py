# SPDX-License-Identifier: GPL-2.0-only
"""Finds the kernel to boot, and its configuration: any bzImage, or one of Debian's amd64 cloud kernels by version."""

import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from bench.errors import BadInput, Unsupported
from bench.files import replacing
from bench.vm import apt, cache

DEFAULT = "debian:6.12"
# linux-image-* carries image and configuration up to 6.18; from 6.19 on it depends on linux-binary-* and linux-base-*.
_PACKAGE = re.compile(r"linux-(image|binary)-(\d.*)-cloud-amd64")
_IMAGE_PREFIX = "vmlinuz-"
_CONFIG_PREFIX = "config-"


class DebianKernel(NamedTuple):
    """One kernel of Debian's archive: upstream version, the package with the image, its version, its suite."""

    version: str
    package: str
    package_version: str
    suite: str


def find(spec: str | None, *, echo: Callable[[str], None]) -> Path:
    """Return the bzImage that `spec` means: a path, `debian:VERSION`, or None for debian:6.12."""
    spec = spec or DEFAULT
    if not spec.startswith("debian:"):
        return _checked(Path(spec))
    series = spec.removeprefix("debian:")
    if not re.fullmatch(r"\d+(\.\d+)*", series):
        raise BadInput(f"'{spec}' names no Debian kernel", f"say for example {DEFAULT}; debian: alone lists them")
    with cache.lock("kernels"):
        return _cached(series) or _fetched(series, echo)


def config(image: Path) -> str:
    """Return the configuration the image was built with, empty where it isn't found.

    It lies beside an installed image as config-VERSION, or four levels above arch/x86/boot/bzImage as .config.
    """
    places = [image.with_name(image.name.replace(_IMAGE_PREFIX, _CONFIG_PREFIX, 1))]
    places += [parent / ".config" for parent in image.resolve().parents[3:4]]
    for place in places:
        if place != image and place.is_file():
            return place.read_text(errors="replace")
    return ""


def debian_kernels(echo: Callable[[str], None]) -> list[DebianKernel]:
    """List Debian's amd64 cloud kernels, oldest first."""
    with cache.lock("kernels"):
        return _available(echo)


def matches(version: str, series: str) -> bool:
    """Tell whether `version` belongs to `series`: 6.12.3 to 6.12, but not to 6.1."""
    return f"{version}.".startswith(f"{series}.")


def _key(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _checked(path: Path) -> Path:
    hint = f"give a bzImage (arch/x86/boot/bzImage of a kernel tree, /boot/vmlinuz-*) or {DEFAULT}"
    try:
        with path.open("rb") as file:
            head = file.read(0x206)
    except OSError as error:
        raise BadInput(f"can't read the kernel image {path}: {error.strerror}", hint) from error
    if head[0x202:] != b"HdrS":  # Documentation/arch/x86/boot.rst, field `header`
        raise BadInput(f"{path} is no bzImage", hint)
    return path


def _cached(series: str) -> Path | None:
    images = cache.folder("kernels").glob(f"{_IMAGE_PREFIX}*")
    found = [image for image in images if matches(image.name.removeprefix(_IMAGE_PREFIX), series)]
    return max(found, key=lambda image: _key(image.name), default=None)


def _available(echo: Callable[[str], None]) -> list[DebianKernel]:
    """List the packages that carry an image: of two with one name, linux-binary-* does."""
    apt.refresh(echo)
    kernels: dict[str, DebianKernel] = {}
    for package, package_version, suite in sorted(apt.packages(_PACKAGE), reverse=True):
        version = re.split(r"[-+~]", package_version)[0]
        kernels[package.removeprefix("linux-").removeprefix("image-").removeprefix("binary-")] = DebianKernel(
            version, package, package_version, suite
        )
    return sorted(kernels.values(), key=lambda kernel: (_key(kernel.version), kernel.package))


def _fetched(series: str, echo: Callable[[str], None]) -> Path:
    kernels = _available(echo)
    wanted = [kernel for kernel in kernels if matches(kernel.version, series)]
    if not kernels:
        raise Unsupported("the Debian mirror lists no kernels", "set BENCH_DEBIAN_MIRROR, or give --kernel IMAGE")
    if not wanted:
        known = ", ".join(dict.fromkeys(".".join(kernel.version.split(".")[:2]) for kernel in kernels))
        raise BadInput(f"Debian has no kernel {series} for amd64 clouds", f"it has {known}")
    kernel = wanted[-1]
    image = cache.folder("kernels") / f"{_IMAGE_PREFIX}{kernel.version}"
    echo(f"downloading {kernel.package} {kernel.package_version} ({kernel.suite})")
    # The configuration comes before the image, here and in the package: an image that is there has its configuration.
    for name in dict.fromkeys([kernel.package.replace("linux-binary-", "linux-base-"), kernel.package]):
        with tempfile.TemporaryDirectory(dir=image.parent, prefix=".download-") as scratch:
            package = apt.download(f"{name}={kernel.package_version}", Path(scratch))
            for prefix, content in _files_in(package):
                with replacing(image.with_name(f"{prefix}{kernel.version}")) as file:
                    shutil.copyfileobj(content, file)
    if not image.exists():
        raise Unsupported(f"{kernel.package} holds no kernel image", "give one with --kernel IMAGE")
    return _checked(image)


def _files_in(package: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Read configuration and kernel image out of a Debian package without unpacking the rest."""
    command = ["dpkg-deb", "--fsys-tarfile", str(package)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as unpack:
        try:
            with tarfile.open(fileobj=unpack.stdout, mode="r|") as archive:
                for member in archive:
                    prefix = f"{Path(member.name).name.partition('-')[0]}-"
                    if member.isfile() and prefix in (_CONFIG_PREFIX, _IMAGE_PREFIX):
                        content = archive.extractfile(member)
                        assert content is not None  # a regular file always has one
                        yield prefix, content
                        if prefix == _IMAGE_PREFIX:
                            return
        finally:
            unpack.kill()  # it would go on unpacking the modules behind the image
