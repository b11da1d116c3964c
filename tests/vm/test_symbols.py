# SPDX-License-Identifier: GPL-2.0-only
"""Where a kernel's functions are: from a System.map that belongs to the image, else from the kernel itself."""

import os

import pytest

from bench.errors import BadInput, Unsupported
from bench.plan.arches import ARCHES, USUAL
from bench.plan.records import LONGEST_FUNCTION
from bench.vm import symbols

OWN = {"ffffffff81000010": "scan", "ffffffff81000020": "walk"}


def lines(own=OWN, without=()):
    """Those of a System.map, with all that is needed but some."""
    needed = {f"ffffffff8200{i:04x}": name for i, name in enumerate(sorted(ARCHES[USUAL].symbols - set(without)))}
    return [f"{address} T {name}\n" for address, name in (needed | own).items()]


def test_functions_are_in_order_with_the_plainest_name_first():
    aliases = ["ffffffff81000020 t __walk\n", "ffffffff81000020 W walk_all\n", "ffffffff81000018 t __pfx_walk\n"]
    aliases += ["ffffffff81000010 T _stext\n", "ffffffff81000020 T __walk_text_end\n"]
    others = [
        "ffffffff81000030 D data\n",
        "0000000000000000 A fixed\n",
        "ffffffffc0000000 t mine\t[module]\n",
        "noise\n",
    ]
    found = symbols.functions(lines() + aliases + others)
    assert found[:6] == [
        "ffffffff81000010 scan\n",
        "ffffffff81000010 _stext\n",
        "ffffffff81000020 walk\n",
        "ffffffff81000020 walk_all\n",
        "ffffffff81000020 __walk\n",
        "ffffffff81000020 __walk_text_end\n",
    ]
    assert len(found) == 6 + len(ARCHES[USUAL].symbols)


@pytest.mark.parametrize("lacking", sorted(ARCHES[USUAL].symbols))
def test_symbols_that_lack_what_is_needed_are_none(lacking):
    assert symbols.functions(lines(without=[lacking])) == []
    assert symbols.functions(["ffffffffffffffff B The real System.map is in the linux-image-dbg package\n"]) == []


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Nothing is booted: the images that were asked, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = []

    def ask(image, echo, arch):
        found.append(image)
        return lines({"ffffffff81000010": "asked"})

    monkeypatch.setattr(symbols, "_asked", ask)
    return found


def made(image, system_map, age=10):
    """An image of its own content, and a System.map that is so many seconds older."""
    for path, text in ((image, str(image)), (system_map, "".join(lines()))):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    when = image.stat().st_mtime - age
    os.utime(system_map, (when, when))
    return image


@pytest.mark.parametrize(
    ("image", "system_map"),
    [
        ("out/bzImage", "out/System.map"),
        ("boot/vmlinuz-6.12.1-mine", "boot/System.map-6.12.1-mine"),
        ("linux/arch/x86/boot/bzImage", "linux/System.map"),
    ],
)
def test_the_system_map_of_an_image_is_read_and_kept(asked, tmp_path, image, system_map):
    path = made(tmp_path / image, tmp_path / system_map)
    found = symbols.find(path, print)
    assert "ffffffff81000010 scan\n" in found.read_text()
    assert symbols.find(path, print) == found
    assert not asked


def test_a_system_map_beside_several_images_is_of_none_of_them(asked, tmp_path):
    path = made(tmp_path / "patched.bzImage", tmp_path / "System.map")
    assert "asked" in symbols.find(path, print).read_text()


def test_another_system_map_of_an_image_is_not_taken_for_the_first(asked, tmp_path):
    path = made(tmp_path / "bzImage", tmp_path / "System.map")
    first = symbols.find(path, print)
    status = path.stat()
    text = (tmp_path / "System.map").read_text().replace(" scan\n", " walk\n")
    (tmp_path / "System.map").write_text(text)
    os.utime(tmp_path / "System.map", (status.st_mtime - 1, status.st_mtime - 1))
    assert symbols.find(path, print) != first
    assert " walk\n" in symbols.find(path, print).read_text()


def test_a_system_map_that_is_too_large_is_refused_by_its_name(asked, tmp_path, monkeypatch):
    (tmp_path / "vmlinuz-6.12").write_bytes(b"kernel")
    system_map = tmp_path / "System.map-6.12"
    system_map.write_text("".join(lines()))
    os.utime(system_map, (1, 1))
    monkeypatch.setattr(symbols, "_MOST", 10)
    with pytest.raises(BadInput, match=f"{system_map}: it holds more than"):
        symbols.find(tmp_path / "vmlinuz-6.12", print)
    assert not asked


def test_a_name_that_is_longer_than_any_of_a_kernel_is_no_function():
    long = {"ffffffff81000030": "f" * (LONGEST_FUNCTION + 1)}
    assert symbols.functions(lines(OWN | long)) == symbols.functions(lines(OWN))


def test_a_system_map_that_is_newer_than_the_image_is_another_kernel_s(asked, tmp_path):
    path = made(tmp_path / "bzImage", tmp_path / "System.map", age=-10)
    assert "asked" in symbols.find(path, print).read_text()
    assert asked == [path]
    symbols.find(path, print)
    assert asked == [path]  # once


def test_a_kernel_that_does_not_tell_is_named(monkeypatch, asked, tmp_path):
    monkeypatch.setattr(symbols, "_asked", lambda image, echo, arch: [])
    path = tmp_path / "bzImage"
    path.write_text("an image")
    with pytest.raises(Unsupported, match="bzImage does not say where its functions are"):
        symbols.find(path, print)


@pytest.mark.parametrize("said", ["no base64!", "AAAA"])
def test_what_a_guest_says_of_its_functions_may_be_damaged(said, monkeypatch, tmp_path):
    monkeypatch.setattr(symbols.qemu, "accelerator", lambda *_, **__: symbols.qemu._ACCELERATORS["tcg"])
    monkeypatch.setattr(symbols.qemu, "boot", lambda *_, **__: iter([said]))
    with pytest.raises(Unsupported, match="bzImage could not be asked where its functions are: "):
        symbols._asked(tmp_path / "bzImage", print, ARCHES[USUAL])


def test_a_guest_says_where_its_functions_are(image):
    """Asked anew: find() would read what it kept of an earlier boot."""
    names = {line.split()[1] for line in symbols.functions(symbols._asked(image, print, ARCHES[USUAL]))}
    assert len(names) > 10_000
    assert ARCHES[USUAL].symbols | {"pagemap_read", "clear_refs_write"} <= names
