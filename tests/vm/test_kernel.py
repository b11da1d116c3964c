# SPDX-License-Identifier: GPL-2.0-only
"""Finding a kernel: bad images, versions, which package carries the image, where Debian's archive is."""

import fcntl
import hashlib
import os
import re
import subprocess

import pytest

from bench.errors import BadInput, Unsupported
from bench.plan import kconfig
from bench.vm import apt, cache, kernel
from tests.vm.images import bzimage


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_any_bzimage_is_taken_as_it_is(tmp_path):
    path = tmp_path / "bzImage"
    path.write_bytes(bzimage("6.12.1-mine"))
    image = kernel.find(str(path), echo=print)
    assert image.path == path
    assert image.title == "bzImage (6.12.1-mine)"
    sha256 = hashlib.sha256(bzimage("6.12.1-mine")).hexdigest()
    assert image.facts == {"kernel_image": "bzImage", "kernel_sha256": sha256[:16]}
    assert image.config == ""
    (tmp_path / "config").write_text("CONFIG_KSM=y\n")
    image = kernel.find(str(path), echo=print)
    assert image.facts["kernel_config"] == "KSM=y"
    assert image.facts["config_sha256"] == hashlib.sha256(b"CONFIG_KSM=y\n").hexdigest()[:16]


def test_a_file_that_is_no_bzimage_is_refused(tmp_path):
    path = tmp_path / "image"
    path.touch()
    with pytest.raises(BadInput, match="is no bzImage"):
        kernel.find(str(path), echo=print)


def test_the_release_of_an_image_or_tree_is_read_and_any_other_word_is_one_itself(tmp_path):
    built = tmp_path / "linux/arch/x86/boot/bzImage"
    built.parent.mkdir(parents=True)
    built.write_bytes(bzimage("6.12.1-mine"))
    for spec in (built, tmp_path / "linux"):
        assert kernel.release(str(spec)) == "6.12.1-mine"
    assert kernel.release("6.18.44-fc-v657") == "6.18.44-fc-v657"
    with pytest.raises(BadInput, match="is no kernel tree"):
        kernel.release(str(tmp_path))


def test_a_path_that_can_not_be_read_is_refused_with_the_reason(tmp_path):
    with pytest.raises(BadInput, match="No such file"):
        kernel.find(str(tmp_path / "absent"), echo=print)
    with pytest.raises(BadInput, match="is no kernel tree"):
        kernel.find(str(tmp_path), echo=print)


@pytest.mark.parametrize("spec", ["debian:", "debian:six", "debian:6.", "debian:../6.1", "debian:6.1 "])
def test_a_series_is_numbers_and_dots(spec):
    with pytest.raises(BadInput, match="names no Debian kernel"):
        kernel.find(spec, echo=print)


def test_a_series_matches_whole_components_only():
    assert kernel.matches("6.12.107", "6.12")
    assert kernel.matches("6.12.107", "6")
    assert kernel.matches("6.12.107", "6.12.107")
    assert not kernel.matches("6.12.107", "6.1")
    assert not kernel.matches("6.12.107", "6.12.10")


def test_a_cached_image_needs_no_apt_and_the_newest_one_is_taken(monkeypatch):
    monkeypatch.setenv("PATH", "")
    for version in ("6.12.9", "6.12.107", "6.1.176"):
        (cache.folder("kernels") / f"vmlinuz-{version}").write_bytes(bzimage())
    assert kernel.find(None, echo=print).path.name == "vmlinuz-6.12.107"
    assert kernel.find("debian:6.1", echo=print).title == "vmlinuz-6.1.176"
    with pytest.raises(Unsupported, match="no apt-get"):
        kernel.find("debian:6.16", echo=print)


def test_configuration_lies_beside_an_installed_image_or_above_a_built_one(tmp_path):
    installed = tmp_path / "boot/vmlinuz-6.12.1"
    built = tmp_path / "linux/arch/x86/boot/bzImage"
    for image, config in ((installed, tmp_path / "boot/config-6.12.1"), (built, tmp_path / "linux/.config")):
        image.parent.mkdir(parents=True)
        image.write_bytes(bzimage())
        os.utime(image, (2**31, 2**31))
        assert kernel.config(image) == ""
        config.write_text(f"# of {image.name}\nCONFIG_HZ=250\n")
        assert kernel.config(image).startswith(f"# of {image.name}")
    os.utime(built, (1, 1))
    assert kernel.config(built) == "", "the configuration was changed after it was built"
    (tmp_path / "bzImage").write_bytes(bzimage())
    assert kernel.config(tmp_path / "bzImage") == ""


@pytest.mark.parametrize("name", ["config-6.12.1", "config", ".config"])
def test_a_configuration_that_is_too_large_is_refused_by_its_name(tmp_path, name):
    image = tmp_path / ("linux/arch/x86/boot/bzImage" if name == ".config" else "vmlinuz-6.12.1")
    image.parent.mkdir(parents=True, exist_ok=True)
    config = (tmp_path / "linux" if name == ".config" else tmp_path) / name
    config.write_bytes(b"CONFIG_LOCALVERSION=\xff\n")
    image.write_bytes(bzimage())
    assert kernel.config(image) == "CONFIG_LOCALVERSION=\ufffd\n", "it need not be text"
    os.truncate(config, kconfig.MOST + 1)
    os.utime(config, (1, 1))
    with pytest.raises(BadInput, match=f"{config}: it holds more than 4 MiB"):
        kernel.config(image)
    if name == ".config":
        with pytest.raises(BadInput, match=f"{config}: it holds more than 4 MiB"):
            kernel.configuration(f"{tmp_path}/linux@HEAD", echo=print)


PACKAGES = [
    ("linux-image-6.1.0-50-cloud-amd64", "6.1.176-1", "bookworm"),
    ("linux-image-6.12.107+deb13-cloud-amd64", "6.12.107-1", "trixie"),
    ("linux-binary-7.3.4+deb13-cloud-amd64", "7.3.4-1~bpo13+1", "trixie-backports"),
    ("linux-base-7.3.4+deb13-cloud-amd64", "7.3.4-1~bpo13+1", "trixie-backports"),
    ("linux-base-7.1.13+deb13-cloud-amd64", "7.1.13-2~bpo13+1", "trixie-backports"),  # of another build
    ("linux-binary-7.1.13+deb13-cloud-amd64", "7.1.13-1~bpo13+1", "trixie-backports"),
    ("linux-image-7.1.13+deb13-cloud-amd64", "7.1.13-1~bpo13+1", "trixie-backports"),
    (
        "linux-image-7.0.9+deb13-cloud-amd64",
        "7.0.9-1~bpo13+1",
        "trixie-backports",
    ),  # empty, and of what it needs nothing
    ("linux-image-6.12.90+deb12.1-cloud-amd64", "6.12.90-2~bpo12+1", "bookworm-backports"),
    ("linux-image-6.12.90+deb12-cloud-amd64", "6.12.90-1~bpo12+1", "bookworm-backports"),
    ("linux-image-7.3.4+deb13-cloud-amd64", "7.3.4-1~bpo13+1", "trixie-backports"),
    ("linux-image-6.12.95+deb12-cloud-amd64", "6.12.95-1~bpo12+1", "bookworm-backports"),
]


@pytest.fixture
def archive(monkeypatch):
    monkeypatch.setattr(apt, "refresh", lambda echo, arch: None)
    monkeypatch.setattr(apt, "packages", lambda name, arch: [one for one in PACKAGES if name.fullmatch(one[0])])


def test_the_list_is_in_order_and_has_what_can_be_fetched_and_booted(archive):
    found = [(one.version, one.package, one.config) for one in kernel.debian_kernels(print)]
    images = [
        f"linux-image-{name}-cloud-amd64" for name in ("6.1.0-50", "6.12.90+deb12.1", "6.12.95+deb12", "6.12.107+deb13")
    ]
    assert found == [
        *zip(("6.1.176", "6.12.90", "6.12.95", "6.12.107"), images, images, strict=True),
        ("7.1.13", "linux-binary-7.1.13+deb13-cloud-amd64", ""),
        ("7.3.4", "linux-binary-7.3.4+deb13-cloud-amd64", "linux-base-7.3.4+deb13-cloud-amd64"),
    ]


def test_an_image_whose_configuration_left_the_archive_is_fetched_without(archive, monkeypatch):
    """Debian's 6.19 to 7.1 have their configuration in linux-base-*, which the archive of backports no longer has."""

    def download(package, target, arch):
        root = target / "root"
        (root / "DEBIAN").mkdir(parents=True)
        (root / "boot").mkdir()
        (root / "DEBIAN/control").write_text(
            "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n"
        )
        (root / "boot/vmlinuz-7.1.13+deb13-cloud-amd64").write_bytes(bzimage())
        assert package == "linux-binary-7.1.13+deb13-cloud-amd64=7.1.13-1~bpo13+1"
        subprocess.run(["dpkg-deb", "-b", root, target / "x.deb"], check=True, capture_output=True)
        return target / "x.deb"

    monkeypatch.setattr(apt, "download", download)
    said = []
    image = kernel.find("debian:7.1", echo=said.append)
    assert (image.title, image.config) == ("vmlinuz-7.1.13", "")
    assert "kernel_config" not in image.facts
    assert any("configuration is unknown" in line for line in said)


def test_an_unknown_series_is_refused_with_the_known_ones(archive):
    with pytest.raises(BadInput, match=re.escape("no kernel 6.13")) as caught:
        kernel.find("debian:6.13", echo=print)
    assert caught.value.hint == "it has 6.1, 6.12, 7.1, 7.3"


def test_other_packages_are_not_kernels_to_boot():
    for name in ("unsigned-7.3.4+deb13-cloud-amd64", "7.3.4+deb13-cloud-amd64-dbg", "7.3.4+deb13-amd64"):
        assert not kernel._package("cloud-amd64").fullmatch(f"linux-binary-{name}")


def answers(monkeypatch, **outputs):
    """Make apt answer: `indextargets` and `update` (--print-uris)."""
    monkeypatch.delenv("BENCH_DEBIAN_MIRROR", raising=False)

    def run(command, cwd=None):
        return subprocess.CompletedProcess(command, 0, outputs.get(command[1], ""), "")

    monkeypatch.setattr(apt, "_run", run)


def test_the_mirror_is_the_one_apt_uses_and_not_the_security_archive(monkeypatch):
    answers(
        monkeypatch, indextargets="Foo http://f/debian/\nDebian http://m/debian-security/\nDebian http://m/debian/\n"
    )
    assert apt._mirror() == "http://m/debian"


def test_a_failed_fetch_names_the_error_and_not_the_warnings_before_it(monkeypatch, tmp_path):
    said = (
        "W: Unable to read /etc/apt/-/ - DirectoryExists (2: No such file or directory)\n"
        "E: Unable to locate package linux-base-7.1.13\nE: No packages found\n"
    )
    monkeypatch.setattr(apt, "_run", lambda command, cwd=None: subprocess.CompletedProcess(command, 100, "", said))
    (cache.folder("apt") / "updated").touch()
    with pytest.raises(Unsupported, match=r"can't download x=1: Unable to locate package linux-base-7\.1\.13$"):
        apt.download("x=1", tmp_path)
    assert not (cache.folder("apt") / "updated").exists(), (
        "the lists were older than the archive: they are fetched anew"
    )


def test_one_folder_of_lists_has_one_lock_whoever_asks(monkeypatch, tmp_path):
    """Kernels of two page sizes, and Python, are looked for in one, each under another lock of its own."""
    asked = []

    def run(command, cwd=None):
        with (cache.place() / "apt-arm64" / cache.LOCK).open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        asked.append(command[3])
        if command[3] == "download":
            (cwd / "x_1.deb").touch()
        return subprocess.CompletedProcess(command, 0, "x\n" if command[3] == "pkgnames" else "", "")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("BENCH_DEBIAN_MIRROR", "http://m/debian")
    monkeypatch.setattr(apt, "_check_tools", lambda: None)
    monkeypatch.setattr(apt, "_run", run)
    with cache.lock("kernels-arm64-16k"):
        apt.refresh(print, "arm64")
        assert apt.packages(re.compile("x"), "arm64") == []
        assert apt.download("x=1", tmp_path, "arm64") == tmp_path / "x_1.deb"
    assert asked == ["update", "pkgnames", "madison", "download"]


def test_without_lists_the_mirror_is_read_from_the_sources(monkeypatch):
    answers(
        monkeypatch,
        update="'http://m/debian-security/dists/x/InRelease' a 0\n'http://m/debian/dists/x/InRelease' b 0\n",
    )
    assert apt._mirror() == "http://m/debian"


def test_a_machine_without_a_debian_mirror_is_told_what_to_set(monkeypatch):
    answers(monkeypatch, indextargets="Ubuntu http://m/ubuntu/\n", update="'http://m/ubuntu/dists/x/InRelease' a 0\n")
    with pytest.raises(Unsupported, match="knows no Debian mirror") as caught:
        apt._mirror()
    assert "BENCH_DEBIAN_MIRROR" in caught.value.hint
    monkeypatch.setenv("BENCH_DEBIAN_MIRROR", "http://other/debian/")
    assert apt._mirror() == "http://other/debian"
    monkeypatch.setenv("BENCH_DEBIAN_MIRROR", "other/debian")
    with pytest.raises(BadInput, match="is no URI"):
        apt._mirror()
