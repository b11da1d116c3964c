# SPDX-License-Identifier: GPL-2.0-only
"""What needs no guest: the records a guest sends, the initramfs it gets, clear errors before it starts."""

import io
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BadInput, Unsupported
from bench.vm import cpio, init, initramfs, qemu


def sent(payloads):
    checksum, records = 0, []
    for payload in payloads:
        record, checksum = init.frame(payload, checksum)
        records.append(record)
    return records


payload = st.binary(max_size=50).map(lambda content: content.replace(b"\n", b""))


@given(st.lists(payload), st.integers(1, 20))
def test_records_come_back_as_they_were_sent_however_they_are_cut(payloads, size):
    data, records = b"".join(sent(payloads)), init.Records()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert [found for piece in pieces for found in records.feed(piece)] == payloads


@given(st.lists(payload, min_size=1), st.data())
def test_a_record_with_a_changed_byte_is_refused(payloads, data):
    whole = b"".join(sent(payloads))
    place = data.draw(st.integers(0, len(whole) - 2))  # the last newline: then nothing came back yet
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[place]))
    damaged = whole[:place] + bytes([byte]) + whole[place + 1 :]
    with pytest.raises(ValueError, match="broken record"):
        list(init.Records().feed(damaged))


def test_a_lost_a_repeated_or_a_foreign_record_is_refused():
    one, two, three = sent([b"Lone", b"Ltwo", b"Lthree"])
    for stream in (one + three, one + one, two, b"\n", b"x\n", one + b"[    1.0] kernel: text\n" + two):
        with pytest.raises(ValueError, match="broken record"):
            list(init.Records().feed(stream))
    assert list(init.Records().feed(one + two + three[:-1])) == [b"Lone", b"Ltwo"]


def unpacked(archive):
    """Parse newc cpio archives, one after the other: {name: (mode, device, content)}."""
    found, at = {}, 0
    while at < len(archive):
        assert archive[at : at + 6] == b"070701"
        assert at % 4 == 0
        field = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name = archive[at + 110 : at + 110 + field[11]]
        assert name.endswith(b"\0")
        assert field[5] == 0, "a time would change the bytes from build to build"
        start = -(-(at + 110 + field[11]) // 4) * 4
        content = archive[start : start + field[6]]
        at = -(-(start + field[6]) // 4) * 4
        if name != b"TRAILER!!!\0":
            found[name[:-1].decode()] = (field[1], (field[9], field[10]), content)
    return found


def test_the_archive_holds_every_file_and_its_folders_first():
    entries = {
        "/a/b/file": cpio.file(b"text"),
        "/init": cpio.file(b"#!x", executable=True),
        "/dev/console": cpio.Entry(stat.S_IFCHR | 0o600, device=(5, 1)),
    }
    found = unpacked(cpio.pack(entries))
    assert list(found) == ["a", "a/b", "a/b/file", "dev", "dev/console", "init"]
    assert found["a/b"][0] == stat.S_IFDIR | 0o755
    assert found["a/b/file"] == (stat.S_IFREG | 0o644, (0, 0), b"text")
    assert found["init"][0] == stat.S_IFREG | 0o755
    assert found["dev/console"][:2] == (stat.S_IFCHR | 0o600, (5, 1))


@given(
    st.dictionaries(
        st.text("abc/", min_size=1, max_size=3).map(lambda name: f"/f/{name.replace('/', 'd')}"), st.binary()
    )
)
def test_the_archive_gives_back_any_content(contents):
    found = unpacked(cpio.pack({name: cpio.file(content) for name, content in contents.items()}))
    assert {f"/{name}": content for name, (mode, _, content) in found.items() if stat.S_ISREG(mode)} == contents


def built(argv, **options):
    target = io.BytesIO()
    initramfs.build(target, argv, packages=[], **options)
    return target.getvalue()


def test_the_initramfs_holds_python_the_project_and_the_request():
    argv = ["-c", "print('ü')", "a b"]
    first = built(argv, trees=[Path("pyproject.toml")])
    assert first == built(argv, trees=[Path("pyproject.toml")]), "the same input, the same bytes"
    found = unpacked(first)
    interpreter = found["init"][2].split(b"\n")[0].split()[0].removeprefix(b"#!/").decode()
    assert stat.S_IMODE(found[interpreter][0]) == 0o755
    assert found["request"][2].split(b"\0") == [argument.encode() for argument in argv]
    assert {"dev/console", "project/pyproject.toml", "project/bench/vm/init.py", "project/workloads/random.py"} <= set(
        found
    )
    assert f"project/bench/vm/__pycache__/init.{sys.implementation.cache_tag}.pyc" in found
    names = {name.rpartition("/")[2] for name in found}
    assert {"os.pyc", "ctypes"} <= names
    assert not {"os.py", "test", "tkinter", "_core.c"} & names
    assert len(first) < 40e6


def accelerator(name):
    return qemu.accelerator(name, Path("image"), [], print)


def test_without_qemu_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unsupported, match="no qemu-system-x86_64") as caught:
        accelerator("tcg")
    assert "qemu-system-x86" in caught.value.hint


def test_an_unknown_accelerator_is_refused_and_kvm_needs_its_device(monkeypatch):
    monkeypatch.setattr(qemu.shutil, "which", lambda name: name)
    with pytest.raises(BadInput, match="no accelerator 'xen'"):
        accelerator("xen")
    monkeypatch.setattr(qemu, "_KVM", Path("/dev/absent"))
    with pytest.raises(Unsupported, match=r"KVM doesn't work here: there is no /dev/absent"):
        accelerator("kvm")


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(Unsupported, match="no-such-package is not installed"):
        initramfs.build(io.BytesIO(), ["-c", ""], packages=["no-such-package"])
