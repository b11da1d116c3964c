# SPDX-License-Identifier: GPL-2.0-only
"""--dry-run: what would be measured, and that nothing is made, fetched or booted for it."""

import json
import os

import pytest

from bench.errors import BadInput, Unsupported
from bench.plan.plan import Plan
from bench.run import foresee, matrix, measuring, progress, tell
from bench.run.main import main, run
from bench.run.request import Request
from bench.vm import cache, kernel, qemu, stock
from tests.run.scripted import PLAN, site
from tests.support import bench, refused
from tests.vm.images import bzimage, commit, git

SMALL = ["--pages", "64", "--interface", "scan-wp"]


def requested(*words):
    return Request.typed(run.make_context("run", list(words), **main.context_settings).params)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A cache that is not there, a QEMU that is, and nothing that could be fetched or tried."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tell, "_chosen", [tell.Style()])
    monkeypatch.setattr(qemu.shutil, "which", lambda name: f"/usr/bin/{name}")

    def never(*_, **__):
        raise AssertionError("that is not dry")

    for module, name in ((qemu, "boot"), (kernel, "_fetched"), (cache, "folder"), (qemu, "_kvm_trouble")):
        monkeypatch.setattr(module, name, never)
    return tmp_path


@pytest.fixture
def kvm(monkeypatch):
    """Say whether there is KVM, as far as can be told without a trial."""
    return lambda works: monkeypatch.setattr(qemu, "_kvm_refused", lambda: "" if works else "there is none")


def rows(text):
    """What is printed, by its first word; of several the last."""
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in text.splitlines() if line.startswith("  ")}


def test_a_run_here_is_foreseen(tmp_path):
    done = bench("run", "--where", "here", *SMALL, "--processes", "7", "--dry-run", "--name", tmp_path / "a/x")
    assert done.returncode == 0, done.stderr
    found = rows(done.stdout)
    assert found["where"] == "the running kernel: 7 processes x 1 value"
    assert found["suite"] == "own: 1 point of 64 pages"
    assert found["interfaces"] == "scan-wp"
    assert found["result"] == str(tmp_path / "a/x")
    assert found["time"] == "about 3 s"
    assert "a worker" in found["memory"]
    assert "guest" not in found["memory"]
    assert "cache" not in found
    assert found["command"].startswith("./bench.py run --suite quick --pages 64 --interface scan-wp --processes 7 ")
    assert not list(tmp_path.iterdir())


def test_names_may_be_several_with_commas_or_the_option_again(tmp_path):
    words = (
        "--interface",
        "scan-wp, mprotect",
        "--interface",
        "uffd-sync",
        "--workload",
        "random,idle",
        "--pages",
        "9,64",
    )
    done = bench("run", "--where", "here", *words, "--processes", "7", "--dry-run", "--name", tmp_path / "x")
    assert done.returncode == 0, done.stderr
    found = rows(done.stdout)
    assert found["interfaces"] == "scan-wp, uffd-sync, mprotect", "in the order of the table"
    assert found["suite"] == "own: 4 points of 9 to 64 pages"
    assert " --interface scan-wp --interface mprotect --interface uffd-sync " in found["command"]


def test_what_a_run_refuses_a_dry_run_refuses(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x/notes").touch()
    words = ("run", "--where", "here", "--dry-run")
    assert "exists" in refused(*words, "--name", tmp_path / "x")
    assert "no suite" in refused(*words, "--suite", "nothing")
    assert "takes 6 processes" in refused(*words, "--until", "1%", "--processes", "2")
    for spec in ("debian:junk", "debian:6.x", "debian:6."):
        assert "names no Debian kernel" in refused("run", "--where", "vm", "--kernel", spec, "--dry-run")
    assert "needs two kernels" in refused("matrix", "--dry-run", "--kernel", "a=debian:6.12")


@pytest.mark.parametrize("works", [False, True])
def test_without_a_cache_everything_would_be_fetched_and_only_a_trial_could_tell(empty, kvm, capsys, works):
    kvm(works)
    foresee.run(requested("--where", "vm", *SMALL, "--dry-run", "--name", str(empty / "x")))
    said = capsys.readouterr().out
    assert ("If a trial shows that KVM works:" in said) == works
    if works:
        first, second = said.split("Else:")
        assert "debian:6.12 under KVM: 11 boots x 2 processes x 1 value" in first
        assert "--accel auto" in rows(second)["command"]
    else:
        second = said
    assert "debian:6.12 under TCG, counting instructions: 3-5 boots x 1 process x 1 value" in second
    found = rows(second)
    assert found["time"].endswith("if all boots are needed")
    assert found["memory"].endswith("two at once") or os.cpu_count() == 1
    assert f"{empty}/cache/pagemap-bench: debian:6.12 would be fetched; Python for guests" in found["cache"]
    assert not list(empty.iterdir())


def test_what_was_asked_for_needs_no_guess(empty, kvm, capsys):
    kvm(True)
    foresee.run(requested("--accel", "tcg", *SMALL, "--dry-run", "--suite", "quick", "--quick"))
    said = capsys.readouterr().out
    assert "debian:6.12 under TCG: 6 boots x 1 process x 1 value" in said
    assert "--quick: 6 processes of each point, not 22 in 6 boots, not 11." in said
    foresee.run(requested("--accel", "icount", "--suite", "meaning", "--filter", "merge*", "--dry-run"))
    assert "100 plays of each scenario and interface" in capsys.readouterr().out


def test_an_image_is_read_and_a_revision_would_be_built(empty, kvm, capsys):
    kvm(False)
    (empty / "bzImage").write_bytes(bzimage("6.12.1-mine"))
    foresee.run(requested("--kernel", str(empty / "bzImage"), *SMALL, "--dry-run"))
    assert "bzImage (6.12.1-mine) under TCG" in capsys.readouterr().out
    (empty / "tree").mkdir()
    git(empty / "tree", "init", "-q")
    commit(empty / "tree", a="one")
    foresee.run(requested("--kernel", f"{empty / 'tree'}@HEAD", *SMALL, "--dry-run"))
    assert "tree@HEAD would be built" in capsys.readouterr().out
    with pytest.raises(BadInput, match="has no commit 'none'"):
        foresee.run(requested("--kernel", f"{empty / 'tree'}@none", *SMALL, "--dry-run"))
    assert not (empty / "cache").exists()


def test_machines_get_it_as_json(empty, kvm, capsys):
    kvm(True)
    foresee.run(requested("--where", "vm", *SMALL, "--dry-run", "--progress", "json", "--name", str(empty / "x")))
    found = json.loads(capsys.readouterr().out)
    first, second = (one[0] for one in found["alternatives"])
    assert (first["boots"], first["processes"], second["boots"], second["least_boots"]) == (11, 22, 5, 3)
    assert first["points"] == ["random pages=64 dirty=10%"]
    assert first["guest_bytes"] > first["worker_bytes"] > 0
    assert found["result"] == str(empty / "x")
    assert found["would_be_fetched"] == ["debian:6.12 would be fetched", "Python for guests would be packed"]
    assert found["cache_bytes"] == stock.KERNEL + stock.LISTS + stock.INITRAMFS


def test_a_matrix_is_foreseen_kernel_by_kernel(empty, kvm, capsys):
    kvm(False)
    (empty / "bzImage").write_bytes(bzimage("6.12.1-mine"))
    kernels = (("base", "debian:6.12"), ("patched", str(empty / "bzImage")))
    foresee.matrix(matrix.Wanted(kernels, requested("--where", "vm", *SMALL, "--dry-run", "--until", "1%")))
    found = rows(capsys.readouterr().out)
    assert found["base"].startswith("debian:6.12 under TCG, counting instructions: 5 boots x 1 process")
    assert found["patched"].startswith("bzImage (6.12.1-mine) under TCG")
    assert found["patched"].endswith("until +-1 %")
    assert found["command"].startswith("./bench.py matrix --kernel base=debian:6.12 --kernel patched=")
    assert "--until 1%" in found["command"]


def test_what_is_left_of_a_result_is_foreseen(tmp_path):
    words = ("run", "--where", "here", *SMALL[:2], "--interface", "mprotect", "--processes", "2")
    assert bench(*words, "--name", tmp_path / "x").returncode == 0
    before = (tmp_path / "x/records.jsonl").read_bytes()
    done = bench("run", "--resume", tmp_path / "x", "--boots", "+2", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "3 boots x 2 processes x 1 value, of which 2 are left" in done.stdout
    assert (tmp_path / "x/records.jsonl").read_bytes() == before


def test_what_a_guest_of_another_architecture_needs_is_foreseen(empty, capsys):
    foresee.run(requested("--arch", "arm64", "--kernel", "debian:6.12", *SMALL, "--dry-run"))
    found = rows(capsys.readouterr().out)
    assert "TCG, counting instructions, arm64" in found["where"]
    assert "debian:6.12 would be fetched for arm64; Python for arm64 would be fetched" in found["cache"]
    assert "--arch arm64 " in found["command"]


def test_a_compiler_that_is_missing_is_foreseen_before_anything_is_fetched(empty, monkeypatch):
    monkeypatch.setattr(qemu.shutil, "which", lambda name: None if "-gcc" in name else f"/usr/bin/{name}")
    for words in (["--arch", "arm64"], ["--arch", "arm64-16k", "--processes", "1", "--boots", "1"]):
        with pytest.raises(Unsupported, match="no aarch64-linux-gnu-gcc") as refusal:
            foresee.run(requested("--kernel", "debian:6.12", *SMALL, *words, "--dry-run"))
        assert "gcc-aarch64-linux-gnu" in refusal.value.hint
        with pytest.raises(Unsupported, match="no aarch64-linux-gnu-gcc"):
            measuring.site_of(Plan("own", "", "", ("none",), where="vm", kernel="debian:6.12", arch=words[1]))
    foresee.run(requested("--kernel", "debian:6.12", *SMALL, "--dry-run"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--arch", "arm64", "--interface", "clear_refs"], "arm64 has no soft-dirty bits"),
        (["--arch", "arm64-16k", "--kind", "anon-thp"], "huge pages are measured in pages of 4 KiB"),
        (["--arch", "arm64", "--where", "here"], "needs a virtual machine"),
    ],
)
def test_what_an_architecture_can_not_have_is_refused_before_anything_is_fetched(empty, words, said):
    with pytest.raises(BadInput, match=said):
        foresee.run(requested("--kernel", "debian:6.12", *words, "--dry-run"))


def test_the_time_is_that_of_all_jobs_and_boots_and_looks_at_each_point_once(monkeypatch):
    """Of millions of processes none is looked at by itself."""
    plan, asked, seconds = PLAN._replace(processes=4000, boots=400, where="vm"), [], progress.seconds
    whole = 0.0
    for boot in range(plan.boots):
        whole += progress.BOOT[False] + sum(seconds(job, plan, emulated=False) for job in plan.jobs(boot))
    monkeypatch.setattr(
        progress, "seconds", lambda job, *rest, **more: asked.append(job) or seconds(job, *rest, **more)
    )
    assert progress.estimate((plan, site())) == pytest.approx(whole + progress.REPORT)
    assert len(asked) <= 2 * len(plan.points)


def test_the_time_has_the_plays_of_the_first_boot_once():
    plan = PLAN._replace(points=(), interfaces=("scan-wp",), scenarios=("plain", "holes_tables"), values=10)
    played = sum(progress.seconds(job, plan, emulated=False) for job in plan.jobs(0))
    assert progress.estimate((plan, site())) == pytest.approx(progress.BOOT[False] + played + progress.REPORT)
