# SPDX-License-Identifier: GPL-2.0-only
"""Guests of other architectures: one arm64 guest that is measured, and what is said without one."""

import gzip
import importlib.util
import struct

import pytest

from bench.errors import BadInput, Unsupported
from bench.plan import arches, kconfig
from bench.plan.interfaces import INTERFACES
from bench.vm import counting, foreign, initramfs, kernel, qemu, rawimage, stock
from tests.vm import elsewhere

ARM64 = arches.find("arm64")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What one arm64 guest says of itself, and of one point."""
    return elsewhere.measured(ARM64, "debian:6.12", tmp_path_factory.mktemp("arm64"))


def test_the_guest_says_what_it_is_and_why_there_is_no_soft_dirty(measured):
    machine, _ = measured
    assert machine.facts["architecture"] == "aarch64"
    assert machine.facts["page_size"] == ARM64.page_size
    assert "cloud-arm64" in machine.facts["kernel_release"]
    assert machine.unavailable["clear_refs"].why == dict(ARM64.lacks)["MEM_SOFT_DIRTY"]
    assert "scan-wp" not in machine.unavailable
    assert not machine.findings


def test_the_scan_is_exact_and_its_functions_are_counted(measured):
    _, record = measured
    found = {(one.interface, one.atomic): one for one in record.series}
    assert set(found) == {("none", False), ("scan-wp", False), ("scan-wp", True)}
    assert not any(one.wrong or one.extra or one.missed for one in record.series)
    elsewhere.functions_are_counted(record, ARM64)


def test_faults_and_flushes_are_those_that_pages_make_and_no_store_is_counted_twice(measured):
    tracked, untracked = elsewhere.faults_are_those_that_pages_make(measured[1])
    assert elsewhere.DIRTY <= untracked["stores"][0] < 1.3 * elsewhere.DIRTY
    assert tracked["reset"]["tlbi"][0] >= 1
    assert tracked["collect"]["tlbi"] == [0], "a scan that only reads flushes nothing"


def arm64_image(release="6.12.1", config="", pages=0):
    """The bytes of what looks like an arm64 Image: its header, one section, a release and a configuration.

    pages: how its flags tell the size of a page; 0: not at all.
    """
    body = f"Linux version {release} (who@where) ".encode() + b"IKCFG_ST" + gzip.compress(config.encode())
    head = bytearray(512)
    struct.pack_into("<Q", head, 24, pages << 1)
    head[56:60], head[60:64] = b"ARM\x64", struct.pack("<I", 64)
    head[64:68] = b"PE\0\0"
    struct.pack_into("<H12xH", head, 70, 1, 0)
    struct.pack_into("<II", head, 64 + 24 + 16, len(body), len(head))
    return bytes(head) + body


def test_an_arm64_image_is_told_from_others_and_says_its_release_and_configuration(tmp_path):
    path = tmp_path / "Image"
    path.write_bytes(arm64_image("6.12.117-rc1+", "CONFIG_ARM64_16K_PAGES=y\n"))
    image = kernel.find(str(path), echo=print, arch=ARM64)
    assert rawimage.Form(ARM64).release(path) == "6.12.117-rc1+"
    assert image.config == "CONFIG_ARM64_16K_PAGES=y\n"
    assert image.arch is ARM64
    path.write_bytes(arm64_image()[:-1])
    with pytest.raises(BadInput, match="is cut off"):
        kernel.find(str(path), echo=print, arch=ARM64)


@pytest.mark.parametrize("head", [b"MZ", bytes(128), b"ARM\x64" * 32])
def test_an_image_without_sections_or_configuration_is_taken_as_far_as_it_says(tmp_path, head):
    """A kernel may be built without EFI's stub, whose header has the sections."""
    image = bytearray(arm64_image(config="CONFIG_X=y"))
    image[64 : 64 + len(head)] = head
    path = tmp_path / "Image"
    path.write_bytes(bytes(image[:-30]))
    assert kernel.find(str(path), echo=print, arch=ARM64).config == ""
    path.write_bytes(bytes(image).replace(b"IKCFG_ST\x1f\x8b", b"IKCFG_ST\x1f\x8c"))
    assert kernel.find(str(path), echo=print, arch=ARM64).config == ""


@pytest.mark.parametrize(
    ("pages", "name", "hint"),
    [
        (2, "arm64", "give --arch arm64-16k"),
        (1, "arm64-16k", "give --arch arm64"),
        (3, "arm64", "there are no guests with such a kernel"),
    ],
)
def test_an_image_of_another_page_size_is_refused_before_it_is_booted(tmp_path, pages, name, hint):
    path = tmp_path / "Image"
    path.write_bytes(arm64_image(pages=pages))
    with pytest.raises(BadInput, match=f"and --arch {name} is aarch64 with") as refusal:
        kernel.find(str(path), echo=print, arch=arches.find(name))
    assert refusal.value.hint == hint


def test_an_image_of_the_right_page_size_or_of_none_is_taken(tmp_path):
    for pages, name in ((1, "arm64"), (2, "arm64-16k"), (0, "arm64"), (0, "arm64-16k")):
        (tmp_path / "Image").write_bytes(arm64_image(pages=pages))
        assert kernel.find(str(tmp_path / "Image"), echo=print, arch=arches.find(name)).arch.name == name


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (bytes(0x202) + b"HdrS" + bytes(100), "a bzImage, for x86"),
        (gzip.compress(b"Image", mtime=0), "gunzip it"),  # else the time would be in the name of the test
        (b"MZ\0\0zimg" + bytes(100), "build Image instead"),
        (b"", "no arm64 Image"),
    ],
)
def test_what_is_no_arm64_image_is_refused_with_what_it_is(tmp_path, content, said):
    (tmp_path / "Image").write_bytes(content)
    with pytest.raises(BadInput, match=said):
        kernel.find(str(tmp_path / "Image"), echo=print, arch=ARM64)


def test_an_x86_tree_has_nothing_for_arm64_and_no_revision_is_built_for_it(tmp_path):
    (tmp_path / "arch/x86/boot").mkdir(parents=True)
    (tmp_path / "arch/x86/boot/bzImage").touch()
    (tmp_path / "Kbuild").touch()
    with pytest.raises(BadInput, match="arch/arm64/boot/Image"):
        kernel.find(str(tmp_path), echo=print, arch=ARM64)
    with pytest.raises(BadInput, match="built for amd64 only"):
        kernel.find(f"{tmp_path}@HEAD", echo=print, arch=ARM64)


def test_what_emulates_it_is_chosen_without_a_trial_of_kvm(monkeypatch):
    monkeypatch.setattr(qemu.shutil, "which", lambda name: name)
    accel = qemu.accelerator("auto", None, [], print, arch=ARM64)
    assert (accel.word, accel.arch, accel.works) == ("icount", ARM64, True)
    assert qemu.candidates("auto", None, arch=ARM64)[0].word == "icount"
    with pytest.raises(Unsupported, match="emulates aarch64"):
        qemu.accelerator("kvm", None, [], print, arch=ARM64)
    monkeypatch.setattr(qemu.shutil, "which", lambda name: None)
    with pytest.raises(Unsupported, match="no qemu-system-aarch64") as caught:
        qemu.accelerator("auto", None, [], print, arch=ARM64)
    assert "qemu-system-arm" in caught.value.hint


def test_each_row_is_whole():
    for row in arches.ARCHES.values():
        assert row.huge_page == row.page_size * row.page_size // 8, row.name
        assert set(row.counts) <= counting.COUNTS
        assert set(row.options) < set(kconfig.boot(row))
        assert kernel.folder_of(row) in stock.HOLDS
        assert initramfs._init("python", row).content.decode().rstrip().endswith(f"init.main({row.port!r})")
    assert len({kernel.folder_of(row) for row in arches.ARCHES.values()}) == len(arches.ARCHES)
    with pytest.raises(BadInput, match="no architecture 'arm'"):
        arches.find("arm")


def test_what_an_architecture_lacks_is_refused_by_what_interfaces_need():
    lacking = {name for name, row in INTERFACES.items() if arches.lacking(ARM64.machine, row.options)}
    assert {"clear_refs", "scan-softdirty"} <= lacking
    assert not {"scan-wp", "uffd-sync", "mprotect"} & lacking
    assert not any(arches.lacking("x86_64", row.options) for row in INTERFACES.values())


def test_without_a_cross_compiler_its_packages_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(foreign.shutil, "which", lambda name: None)
    assert importlib.util.find_spec("cffi")
    with pytest.raises(Unsupported, match="no aarch64-linux-gnu-gcc") as caught:
        foreign.core(foreign.Python(tmp_path, "3.11", (), ARM64), print)
    assert ARM64.compiler in caught.value.hint
