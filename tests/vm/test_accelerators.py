# SPDX-License-Identifier: GPL-2.0-only
"""What runs a guest: KVM where a trial of it worked, else what stands in for it, and why; trials are remembered."""

import platform

import pytest

from bench.errors import BadInput, Unsupported
from bench.plan.arches import ARCHES, USUAL
from bench.vm import qemu

FOREIGN = next(row for row in ARCHES.values() if row.path)


@pytest.fixture
def here(monkeypatch, tmp_path):
    """A machine with QEMU and a /dev/kvm, a kernel, and what trials of KVM come to: the first one is next."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(platform, "machine", lambda: ARCHES[USUAL].machine)
    monkeypatch.setattr(qemu.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(qemu, "_KVM", tmp_path / "kvm")
    (tmp_path / "kvm").touch()
    image, outcomes = tmp_path / "vmlinuz", []
    image.write_bytes(b"a kernel")
    monkeypatch.setattr(qemu, "_verdict", lambda _: tmp_path / f"cache/pagemap-bench/kvm/{qemu._boot_id()}-x")
    monkeypatch.setattr(qemu, "_trial", lambda *_: outcomes.pop(0))
    return image, outcomes


def chosen(image, word="auto", **more):
    return qemu.accelerator(word, image, [], lambda _: None, **more)


def test_kvm_is_tried_once_and_taken_where_it_works(here):
    image, outcomes = here
    assert [one.word for one in qemu.candidates("auto", image)] == ["kvm", "icount"], "nobody knows yet"
    outcomes.append("")
    for _ in range(2):
        assert (chosen(image).word, chosen(image).why) == ("kvm", "a trial boot worked")
    assert [one.word for one in qemu.candidates("auto", image)] == ["kvm"]
    assert [one.word for one in qemu.candidates("auto", None)] == ["kvm", "icount"], "it depends on the kernel"


def test_what_stands_in_for_kvm_says_why(here):
    image, outcomes = here
    outcomes.append("in a trial boot it crawled")
    found = chosen(image)
    assert (found.word, found.works) == ("icount", False)
    assert found.why == "KVM does not work here: in a trial boot it crawled"
    assert chosen(image, otherwise="tcg").word == "tcg"
    assert [one.word for one in qemu.candidates("auto", image)] == ["icount"]
    with pytest.raises(Unsupported, match="KVM doesn't work here: in a trial boot it crawled"):
        chosen(image, "kvm")


def test_a_trial_that_somebody_killed_says_nothing_of_kvm(here):
    image, outcomes = here
    outcomes += ["in a trial boot QEMU ended with status -15", ""]
    assert chosen(image).word == "icount"
    assert chosen(image).word == "kvm"


def test_trials_of_boots_before_this_one_are_forgotten(here):
    image, outcomes = here
    old = qemu.cache.folder("kvm") / "00000000-0000-0000-0000-000000000000-x"
    old.write_text("no\nthat is all\n")
    outcomes.append("")
    assert chosen(image).word == "kvm"
    assert not old.exists()


def test_without_kvm_nothing_is_tried(here, monkeypatch):
    image, _ = here
    monkeypatch.setattr(qemu.os, "access", lambda *_: False)
    assert "it takes the group kvm" in chosen(image).why
    qemu._KVM.unlink()
    assert "there is no " in chosen(image).why
    assert [one.word for one in qemu.candidates("auto", image)] == ["icount"]


def test_another_architecture_is_emulated_as_anyone_expects(here):
    image, _ = here
    found = chosen(image, arch=FOREIGN)
    assert found.works
    assert found.why == f"a {ARCHES[USUAL].machine} machine emulates {FOREIGN.machine}"
    assert found.title.endswith(f", {FOREIGN.name}")
    with pytest.raises(Unsupported, match="KVM doesn't work here: a x86_64 machine emulates"):
        chosen(image, "kvm", arch=FOREIGN)


def test_where_no_guest_can_run_that_is_said(here, monkeypatch):
    image, _ = here
    with pytest.raises(BadInput, match="no accelerator 'xen'"):
        chosen(image, "xen")
    monkeypatch.setattr(qemu.shutil, "which", lambda _: None)
    with pytest.raises(Unsupported, match="no qemu-system-x86_64 on this machine"):
        chosen(image)
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(Unsupported, match="guests need an x86-64 machine, not riscv64"):
        qemu.candidates("auto", image)
