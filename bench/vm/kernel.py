# SPDX-License-Identifier: GPL-2.0-only
"""Finds the kernel to boot: any bzImage, a tree's, a revision that is built, or one of Debian's cloud kernels."""

import hashlib
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from bench import processes
from bench.errors import BadInput, GuestFailed, Unsupported
from bench.files import replacing
from bench.plan import arches, kconfig
from bench.plan.arches import ARCHES, USUAL, Arch
from bench.plan.records import Facts
from bench.vm import apt, bzimage, cache, rawimage, trees

DEFAULT = "debian:6.12"
_HINT = f"give a bzImage, a kernel tree that was built, TREE@REV to build one, or {DEFAULT}"
_SECONDS = 300.0  # for a package to be unpacked
_DIGITS = 16  # of a checksum, in a result
# linux-image-* carries image and configuration up to 6.18; from 6.19 on it is empty, and depends on linux-binary-*,
# which has the image, and linux-base-*, which has the configuration; that of many versions is no longer in the archive.
_PACKAGE = r"linux-(image|binary|base)-(\d.*)-{}"  # of a flavour
_EMPTY_FROM = [6, 19]
_IMAGE_PREFIX = "vmlinuz-"
_CONFIG_PREFIX = "config-"


class _Form(Protocol):
    """What reads an image of one form."""

    def check(self, path: Path, hint: str) -> None: ...

    def page_size(self, path: Path) -> int: ...

    def release(self, path: Path) -> str: ...

    def config(self, path: Path) -> str: ...


# What reads an image, by architecture: those that are packed by themselves have no magic number of their own.
_FORMS: dict[str, _Form] = {row.name: rawimage.Form(row) if row.magic else bzimage for row in ARCHES.values()}


class DebianKernel(NamedTuple):
    """One kernel of Debian's archive: upstream version, the package with the image, its version, its suite.

    `config`: the package with the configuration, empty where the archive has none.
    """

    version: str
    package: str
    package_version: str
    suite: str
    config: str


class Image(NamedTuple):
    """A kernel to boot: its bzImage, its name for people, its configuration (may be empty), what a result says of it.

    `stamp`: when it was written and how large it is; `arch`: what it runs on.
    """

    path: Path
    title: str
    config: str
    facts: Facts
    stamp: tuple[int, int]
    arch: Arch = ARCHES[USUAL]

    def check_same(self) -> None:
        """Raise GuestFailed where the file was written since: one result is of one kernel."""
        if not self.path.is_file() or _stamp(self.path) != self.stamp:
            raise GuestFailed(f"{self.title} was built anew or removed since", "measure again, into another result")


def find(spec: str | None, *, echo: Callable[[str], None], arch: Arch = ARCHES[USUAL]) -> Image:
    """Return the kernel of an architecture that `spec` means.

    spec: the path of a bzImage or of a built tree, `TREE@REV`, `debian:VERSION`, or None for debian:6.12. A revision is
    built if need be, and a kernel of Debian's fetched. Raises BadInput, Unsupported, BuildFailed.
    """
    spec = spec or DEFAULT
    path = Path(spec)
    if spec.startswith("debian:"):
        path = _debian(spec, echo, arch)
        return _image(path, f"{path.name}{f' ({arch.name})' if arch.path else ''}", {}, arch)
    if not path.exists() and (found := trees.split(spec)):
        if arch.path:
            raise BadInput(f"{spec}: revisions are built for {USUAL} only", f"build it, and give its {arch.image}")
        built = trees.build(*found, echo)
        bzimage.check(built.folder / "bzImage", f"remove {built.folder}, then it is built again")
        return _image(built.folder / "bzImage", built.title, {"kernel_commit": built.commit, "kernel_dirty": 0})
    form = _FORMS[arch.name]
    if not path.is_dir():
        form.check(path, _HINT)
        return _image(path, f"{path.name} ({form.release(path) or 'of no release'})", {}, arch)
    image = trees.image_of(path, arch)
    form.check(image, _HINT)
    known = trees.commit_of(path, image, echo)
    at = f" at {str(known['kernel_commit'])[:12]}" if known else ""
    changed = ", with changes" if known.get("kernel_dirty") else ""
    return _image(image, f"{path.resolve().name}{at}{changed}", known, arch)


def release(spec: str) -> str:
    """Return the release that uname -r prints on a kernel: of an image or a built tree its own, else `spec` itself."""
    path = trees.image_of(Path(spec)) if os.path.isdir(spec) else Path(spec)
    if not path.exists():
        return spec
    bzimage.check(path, _HINT)
    return bzimage.release(path)


def configuration(spec: str, *, echo: Callable[[str], None], arch: Arch = ARCHES[USUAL]) -> str:
    """Return the configuration of the kernel that `spec` means, without building it; empty where it isn't known."""
    tree = trees.split(spec) if not os.path.exists(spec) else None
    folder = tree[0] if tree else Path(spec)
    if tree or (folder.is_dir() and not (folder / arch.built).exists()):
        if own := trees.config_of(folder):
            return own
        raise BadInput(
            f"{folder} has no .config",
            f"make one, such as: make defconfig, then add what ./bench.py config{arch.option} prints",
        )
    return find(spec, echo=echo, arch=arch).config


def config(image: Path, arch: Arch = ARCHES[USUAL]) -> str:
    """Return the configuration the image was built with, empty where it isn't found.

    It lies beside an image, as config-VERSION or config, or four levels above arch/x86/boot/bzImage as .config; else it
    may be in the image itself.
    """
    places = [image.with_name(image.name.replace(_IMAGE_PREFIX, _CONFIG_PREFIX, 1)), image.with_name("config")]
    for place in places:
        if place != image and place.is_file():
            return trees.config_text(place)
    if inside := _FORMS[arch.name].config(image):
        return inside
    for place in [parent / ".config" for parent in image.resolve().parents[3:4]]:
        # A newer one may be of the next build.
        if place.is_file() and place.stat().st_mtime <= image.stat().st_mtime:
            return trees.config_text(place)
    return ""


def _image(path: Path, title: str, known: Facts, arch: Arch = ARCHES[USUAL]) -> Image:
    if size := _FORMS[arch.name].page_size(path):
        why, remedy = arches.other(arch, arch.machine, size)
        if why:
            raise BadInput(f"{path} is of {why}", remedy)
    text = config(path, arch)
    facts: Facts = {"kernel_image": path.name, "kernel_sha256": bzimage.digest(path)[:_DIGITS], **known}
    if (options := kconfig.chosen(text)) != kconfig.UNKNOWN:  # else the guest may know its own
        facts |= {"kernel_config": options, "config_sha256": hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}
    return Image(path, title, text, facts, _stamp(path), arch)


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def debian_kernels(echo: Callable[[str], None], arch: Arch = ARCHES[USUAL]) -> list[DebianKernel]:
    """List Debian's kernels of an architecture's flavour, oldest first."""
    with cache.lock(folder_of(arch), echo):
        return _available(echo, arch)


def folder_of(arch: Arch) -> str:
    """The cache's folder of the kernels of an architecture."""
    return f"kernels{arch.path}"


def matches(version: str, series: str) -> bool:
    """Tell whether `version` belongs to `series`: 6.12.3 to 6.12, but not to 6.1."""
    return f"{version}.".startswith(f"{series}.")


def series(spec: str) -> str:
    """Return the version in debian:VERSION. Raises BadInput where it is none."""
    version = spec.removeprefix("debian:")
    if not re.fullmatch(r"\d+(\.\d+)*", version):
        raise BadInput(f"'{spec}' names no Debian kernel", f"say for example {DEFAULT}; debian: alone lists them")
    return version


def _key(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _debian(spec: str, echo: Callable[[str], None], arch: Arch) -> Path:
    wanted = series(spec)
    with cache.lock(folder_of(arch), echo):
        path = _cached(wanted, arch)
        while path and (why := _damage(path, arch)):
            echo(f"{why}: removed from the cache")
            path.unlink()
            path = _cached(wanted, arch)
        path = path or _fetched(wanted, echo, arch)
    _FORMS[arch.name].check(path, f"remove {path}, then it is fetched again")
    return path


def _damage(image: Path, arch: Arch) -> str:
    """Return what is wrong with an image in the cache, empty where nothing is. Raises BadInput for what is no file."""
    try:
        _FORMS[arch.name].check(image, "")
    except BadInput as error:
        if not image.is_file():
            raise BadInput(str(error), f"remove {image}, then it is fetched again") from None
        return str(error)
    return ""


def _cached(series: str, arch: Arch) -> Path | None:
    images = cache.folder(folder_of(arch)).glob(f"{_IMAGE_PREFIX}*")
    found = [image for image in images if matches(image.name.removeprefix(_IMAGE_PREFIX), series)]
    return max(found, key=lambda image: _key(image.name), default=None)


def _package(flavour: str) -> re.Pattern[str]:
    """What packages of this flavour are called."""
    return re.compile(_PACKAGE.format(re.escape(flavour)))


def _available(echo: Callable[[str], None], arch: Arch) -> list[DebianKernel]:
    """List the packages that carry an image, of each version the newest, which is the one that is fetched."""
    apt.refresh(echo, arch.debian)
    found = sorted(apt.packages(_package(arch.flavour), arch.debian), key=lambda one: (_key(one[1]), one[0]))
    names = {(name, version) for name, version, _ in found}
    kernels: dict[str, DebianKernel] = {}
    for package, package_version, suite in found:
        version = re.split(r"[-+~]", package_version)[0]
        split = _key(version)[:2] >= _EMPTY_FROM
        if not package.startswith("linux-binary-" if split else "linux-image-"):
            continue
        config = package.replace("linux-binary-", "linux-base-")
        known = config if (config, package_version) in names else ""
        kernels[version] = DebianKernel(version, package, package_version, suite, known)
    return sorted(kernels.values(), key=lambda kernel: _key(kernel.version))


def _fetched(series: str, echo: Callable[[str], None], arch: Arch) -> Path:
    kernels = _available(echo, arch)
    wanted = [kernel for kernel in kernels if matches(kernel.version, series)]
    if not kernels:
        raise Unsupported("the Debian mirror lists no kernels", "set BENCH_DEBIAN_MIRROR, or give --kernel IMAGE")
    if not wanted:
        known = ", ".join(dict.fromkeys(".".join(kernel.version.split(".")[:2]) for kernel in kernels))
        raise BadInput(f"Debian has no kernel {series} of its flavour {arch.flavour}", f"it has {known}")
    kernel = wanted[-1]
    image = cache.folder(folder_of(arch)) / f"{_IMAGE_PREFIX}{kernel.version}"
    echo(f"downloading {kernel.package} {kernel.package_version} ({kernel.suite})")
    # The configuration comes before the image, here and in the package: an image that is there has its configuration.
    if not kernel.config:
        echo("its configuration is unknown: the archive no longer has the package with it")
    for name in dict.fromkeys(filter(None, [kernel.config, kernel.package])):
        with tempfile.TemporaryDirectory(dir=image.parent, prefix=".download-") as scratch:
            package = apt.download(f"{name}={kernel.package_version}", Path(scratch), arch.debian)
            with closing(_files_in(package)) as found:
                for prefix, content in found:
                    with replacing(image.with_name(f"{prefix}{kernel.version}")) as file:
                        shutil.copyfileobj(content, file)
    if not image.exists():
        raise Unsupported(f"{kernel.package} holds no kernel image", "give one with --kernel IMAGE")
    return image


def _files_in(package: Path) -> Generator[tuple[str, IO[bytes]], None, None]:
    """Read configuration and kernel image out of a Debian package without unpacking the rest."""
    command = ["dpkg-deb", "--fsys-tarfile", str(package)]
    with processes.stream(command, _SECONDS) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as archive:
        for member in archive:
            prefix = f"{Path(member.name).name.partition('-')[0]}-"
            if member.isfile() and prefix in (_CONFIG_PREFIX, _IMAGE_PREFIX):
                content = archive.extractfile(member)
                assert content is not None  # a regular file always has one
                yield prefix, content
                if prefix == _IMAGE_PREFIX:
                    return  # behind it are the modules
