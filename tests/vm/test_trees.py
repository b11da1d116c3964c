# SPDX-License-Identifier: GPL-2.0-only
"""Kernel trees: what a built one is of, and revisions that are built beside it, in a tree that builds in a moment."""

import os
import subprocess
import time

import pytest

from bench.errors import BadInput, BuildFailed, GuestFailed
from bench.plan import kconfig
from bench.vm import cache, kernel, trees
from tests.vm.images import bzimage, commit, git, make_tree

CONFIG = kconfig.fragment(kconfig.of_interfaces([]))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "linux", CONFIG)


def make(tree):
    subprocess.run(["make", "-s", "bzImage"], cwd=tree, check=True)


def found(spec, said=None):
    return kernel.find(str(spec), echo=(said if said is not None else []).append)


def compiled():
    """What the last build compiled."""
    (log,) = cache.folder("builds").glob("*/make.log")
    return sorted(line for line in log.read_text().splitlines() if line.startswith("CC "))


def everything(folder):
    """All files of a folder, with their contents and times."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def test_a_built_tree_is_its_image_with_its_commit_and_configuration(tree):
    make(tree)
    said = []
    image = found(tree, said)
    assert image.path == tree / trees.IMAGE
    head = git(tree, "rev-parse", "HEAD")
    assert image.facts["kernel_commit"] == head
    assert image.facts["kernel_dirty"] == 0
    assert image.config == CONFIG
    assert "USERFAULTFD=y" in image.facts["kernel_config"]
    assert image.title == f"linux at {head[:12]}"
    assert not said
    before = everything(tree / ".git")
    (tree / "a.c").write_text("changed\n")
    image = found(tree)
    assert image.facts["kernel_dirty"] == 1
    assert image.title.endswith(", with changes")
    assert everything(tree / ".git") == before


def test_a_commit_that_came_after_the_image_is_doubted(tree):
    make(tree)
    image = tree / trees.IMAGE
    early = time.time() - 100
    os.utime(image, (early, early))
    said = []
    assert found(tree, said).facts["kernel_dirty"] == 1
    assert "may not be of that commit" in said[0]


def test_a_tree_that_was_not_built_is_refused_with_the_line_that_builds_it(tree, tmp_path):
    with pytest.raises(BadInput, match="was not built") as caught:
        found(tree)
    assert f"make -C {tree} -j" in caught.value.hint
    with pytest.raises(BadInput, match="is no kernel tree"):
        found(tmp_path)


def test_a_folder_in_the_repository_of_something_else_has_no_commit(tree):
    inner = tree / "inner"
    (inner / trees.IMAGE).parent.mkdir(parents=True)
    (inner / trees.IMAGE).write_bytes(bzimage())
    assert "kernel_commit" not in found(inner).facts


def test_a_build_folder_names_its_tree(tree, tmp_path):
    apart = tmp_path / "apart"
    apart.mkdir()
    subprocess.run(["make", "-s", f"O={apart}", "bzImage"], cwd=tree, check=True)
    (apart / "source").symlink_to(tree)
    assert found(apart).facts["kernel_commit"] == git(tree, "rev-parse", "HEAD")


def test_a_revision_is_built_apart_and_the_tree_is_not_touched(tree):
    first = git(tree, "rev-parse", "HEAD")
    second = commit(tree, a="two")
    (tree / "a.c").write_text("broken, but not committed\n")
    before = everything(tree)
    said = []
    image = found(f"{tree}@HEAD", said)
    assert everything(tree) == before
    assert image.path.read_bytes().startswith(bzimage() + b"two\none\n-g" + second[:12].encode())
    assert image.facts["kernel_commit"] == second
    assert image.facts["kernel_dirty"] == 0
    assert image.config == CONFIG
    assert (image.path.parent / "System.map").stat().st_mtime <= image.path.stat().st_mtime
    assert f"building linux at {second[:12]}" in said[0]
    other = found(f"{tree}@HEAD~1")
    assert other.facts["kernel_commit"] == first
    assert b"one\none\n-g" in other.path.read_bytes()
    assert image.path.exists(), "the one before is kept"
    assert everything(tree) == before


def test_what_was_built_is_kept_and_what_was_not_changed_is_not_compiled_again(tree):
    found(f"{tree}@HEAD")
    assert compiled() == ["CC a.c", "CC b.c"]
    said = []
    assert found(f"{tree}@HEAD", said).path.exists()
    assert not said
    commit(tree, b="two")
    found(f"{tree}@HEAD")
    assert compiled() == ["CC b.c"]
    commit(tree, b="one")
    found(f"{tree}@HEAD")
    assert compiled() == ["CC b.c"], "its content is older than the object, and it was changed all the same"


def test_a_revision_that_does_not_build_says_why_and_spoils_nothing(tree):
    commit(tree, b="broken")
    with pytest.raises(BuildFailed, match=r"does not build: b.c:1:broken error: no C") as caught:
        found(f"{tree}@HEAD")
    assert "make.log" in caught.value.hint
    assert b"one\none\n" in found(f"{tree}@HEAD~1").path.read_bytes()


def test_a_build_that_was_interrupted_is_done_again(tree, monkeypatch):
    def interrupted(self, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trees._Build, "_run_make", interrupted)
        with pytest.raises(KeyboardInterrupt):
            found(f"{tree}@HEAD")
    (room,) = [path for path in cache.folder("builds").iterdir() if path.is_dir()]
    (room / "index.lock").touch()
    (room / "source/a.c").write_text("half\n")
    assert b"one\none\n" in found(f"{tree}@HEAD").path.read_bytes()


def test_make_that_takes_too_long_is_ended(tree, monkeypatch):
    (tree / "Makefile").write_text("olddefconfig:\nbzImage:\n\tsleep 1000\n")
    commit(tree)
    monkeypatch.setattr(trees, "_MAKE_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(BuildFailed, match="took more than"):
        found(f"{tree}@HEAD")
    assert time.monotonic() - began < 30


def test_another_configuration_makes_another_image(tree):
    one = found(f"{tree}@HEAD")
    (tree / ".config").write_text(CONFIG + "CONFIG_KSM=y\n")
    other = found(f"{tree}@HEAD")
    assert one.path != other.path
    assert one.facts["config_sha256"] != other.facts["config_sha256"]
    (tree / ".config").unlink()
    assert found(f"{tree}@HEAD").config == f"CONFIG_DEFAULT=y\n{CONFIG}"


def test_a_configuration_that_can_not_boot_is_refused_before_it_is_built(tree):
    (tree / ".config").write_text(CONFIG.replace("CONFIG_SERIAL_8250_CONSOLE=y\n", ""))
    with pytest.raises(BadInput, match="lacks CONFIG_SERIAL_8250_CONSOLE=y"):
        found(f"{tree}@HEAD")
    assert not compiled()


@pytest.mark.parametrize("rev", ["", "nonsense", "--version", "HEAD:a.c", "HEAD~99"])
def test_what_is_no_commit_is_refused(tree, rev):
    with pytest.raises(BadInput, match="has no commit"):
        found(f"{tree}@{rev}")


def test_a_revision_may_have_an_at_sign_and_git_may_have_been_pointed_elsewhere(tree, tmp_path, monkeypatch):
    first = git(tree, "rev-parse", "HEAD")
    commit(tree, a="two")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.chdir(tree)
    assert found(".@HEAD@{1}").facts["kernel_commit"] == first


def test_a_folder_without_git_can_not_be_built(tmp_path):
    with pytest.raises(BadInput, match="has no commit"):
        found(f"{tmp_path}@HEAD")


def test_an_image_that_is_built_anew_while_it_is_measured_is_noticed(tree):
    make(tree)
    image = found(tree)
    image.check_same()
    (tree / trees.IMAGE).write_bytes(bzimage() + b"more")
    with pytest.raises(GuestFailed, match="built anew"):
        image.check_same()
    (tree / trees.IMAGE).unlink()
    with pytest.raises(GuestFailed, match="removed"):
        image.check_same()
