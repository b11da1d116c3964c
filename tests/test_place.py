# SPDX-License-Identifier: GPL-2.0-only
"""The version that git says, in a checkout and in a copy of one; and texts where the command has another name."""

import ast
import itertools
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.version import Version

from bench import place
from bench.packaging import stage
from bench.run import commands
from tests.support import ROOT

COMMIT = "5fc897e01234"


def committed(tree, name):
    """Make a commit in a repository, made where there is none."""
    git = ["git", "-C", str(tree), "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    if not (tree / ".git").exists():
        subprocess.run([*git, "init", "-q"], check=True)
    (tree / name).write_text(name)
    subprocess.run([*git, "add", name], check=True)
    subprocess.run([*git, "commit", "-qm", name], check=True)
    return git


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A place of its own, and what it says of its version, asked anew each time."""
    monkeypatch.setattr(place, "ROOT", tmp_path)
    (tmp_path / "bench").mkdir()

    def version():
        place.version.cache_clear()
        return place.version()

    yield tmp_path, version
    place.version.cache_clear()


def test_git_says_the_version_and_releases_are_in_order(there):
    tree, version = there
    assert version() == place.Version()
    git = committed(tree, "a")
    seen = [version()]
    assert str(seen[0]) == f"{place.NEXT}-{seen[0].commit}"
    committed(tree, "b")
    seen.append(version())
    subprocess.run([*git, "tag", f"v{place.NEXT}"], check=True)
    seen.append(version())
    assert seen[-1].python == seen[-1].debian == place.NEXT  # the release
    committed(tree, "c")
    seen.append(version())
    (tree / "a").write_text("else")
    changed = version()
    assert str(changed) == f"{seen[-1]}-changed"
    first, second, _, after = seen
    number = place.NEXT
    assert first.python == f"{number}.dev1+g{first.commit}"
    assert second.python == f"{number}.dev2+g{second.commit}"
    assert after.python == f"{number}.post1+g{after.commit}"
    assert changed.python == f"{after.python}.changed"
    assert first.debian == f"{number}~dev1+g{first.commit}"
    if shutil.which("dpkg"):
        for older, newer in itertools.pairwise(seen):
            compared = ["dpkg", "--compare-versions", older.debian, "lt", newer.debian]
            assert subprocess.run(compared, timeout=60).returncode == 0, compared


def test_what_git_sets_for_hooks_and_editors_leads_to_no_other_tree(there, monkeypatch, tmp_path):
    tree, version = there
    committed(tree, "a")
    wanted = version()
    other = tmp_path / "other"
    other.mkdir()
    committed(other, "b")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert version() == wanted


def test_a_copy_says_what_its_checkout_did(there):
    tree, version = there
    for described, commits in (
        (f"v1.2rc1-3-g{COMMIT}", 3),
        (COMMIT, 700),
        (f"v1.2-0-g{COMMIT}", 0),
        (f"v1.2-3-g{COMMIT}-changed", 3),
    ):
        made = place.parse(described, commits)
        (tree / place.STAMP).write_text(f"{described} {commits}\n")
        assert version() == made
        assert place.stamp() == f"{described} {commits}\n"


def test_a_folder_of_another_repository_is_no_checkout(there, monkeypatch):
    tree, version = there
    committed(tree, "a")
    (tree / "inner/bench").mkdir(parents=True)
    monkeypatch.setattr(place, "ROOT", tree / "inner")
    assert version() == place.Version()


@pytest.mark.parametrize(
    ("tag", "number", "debian"),
    [
        ("0.2.0-rc1", "0.2.0rc1", "0.2.0~rc1"),
        ("0.2.0rc.1", "0.2.0rc1", "0.2.0~rc1"),
        ("0.2-alpha2", "0.2a2", "0.2~a2"),
        ("0.2-b3", "0.2b3", "0.2~b3"),
        ("0.2", "0.2", "0.2"),
    ],
)
def test_a_tag_before_a_release_is_a_version_of_each_kind_and_less_than_the_release(tag, number, debian):
    release = place.parse(f"v0.2.0-0-g{COMMIT}")
    for since, more in ((0, ""), (3, f".post3+g{COMMIT}")):
        made = place.parse(f"v{tag}-{since}-g{COMMIT}")
        assert made.python == number + more
        assert made.commit == COMMIT
        assert made.debian == debian + more.replace(".post", "+post")
        if tag != "0.2":
            assert Version(made.python) < Version(release.python)


def test_a_tag_that_is_no_number_hides_nothing():
    for tag in ("0.2-before-lunch", "0.2.", "1-rc"):
        assert place.parse(f"v{tag}-3-g{COMMIT}", 700) == place.parse(COMMIT, 700)


def test_nor_does_it_hide_the_release_before(tmp_path, monkeypatch):
    def git(*words):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", tmp_path, *identity, *words], check=True, capture_output=True, timeout=60)

    git("init", "-q")
    for tag in ("v0.2.0", "v0.3-before-lunch"):
        git("commit", "-q", "--allow-empty", "-m", tag)
        git("tag", tag)
    monkeypatch.setattr(place, "ROOT", tmp_path)
    place.version.cache_clear()
    try:
        assert (place.version().number, place.version().commits) == ("0.2.0", 1)
    finally:
        place.version.cache_clear()


@pytest.mark.parametrize("described", ["nonsense", f"{COMMIT}-else", f"v-1-g{COMMIT}"])
def test_what_is_no_version_is_refused(described):
    with pytest.raises(ValueError, match=described):
        place.parse(described)


def test_texts_name_the_command_as_it_is_typed():
    text = "run: ./bench.py list; cd ~/pagemap-bench/bench.py; edit mybench.py; results/README.md"
    assert place.typed(text, installed=False) == text
    assert place.typed(text, installed=True) == (
        "run: pagemap-bench list; cd pagemap-bench; edit mybench.py; share/doc/pagemap-bench/results.md"
    )


def test_results_are_named_where_they_are(monkeypatch):
    assert place.kept("x") == "results/x"
    monkeypatch.setattr(place, "INSTALLED", True)
    monkeypatch.setenv("HOME", "/home/a")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert place.kept("x") == "~/.local/share/pagemap-bench/results/x"
    monkeypatch.setenv("XDG_DATA_HOME", "/home/ab")
    assert place.kept("x") == "/home/ab/pagemap-bench/results/x"


def test_results_are_called_as_commands_find_them(tmp_path, monkeypatch):
    monkeypatch.setattr(place, "results", lambda: tmp_path / "results")
    monkeypatch.setattr(commands, "RESULTS", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    known = {
        tmp_path / "results/x": "x",
        tmp_path / "results/m/base": "m/base",
        tmp_path / "results/a b": "'a b'",
        tmp_path / "results/-x": str(tmp_path / "results/-x"),
        tmp_path / "y": str(tmp_path / "y"),
        Path("x"): "./x",
        Path("-x"): "./-x",
        Path("results/x"): "results/x",
    }
    for folder, name in known.items():
        folder.mkdir(parents=True, exist_ok=True)
        assert place.called(folder) == name
        assert commands.existing(*shlex.split(name)).samefile(folder)
    Path("m/base").mkdir(parents=True)
    assert place.called(tmp_path / "results/m/base") == str(tmp_path / "results/m/base")


def test_what_is_said_where_it_is_installed_names_nothing_that_only_a_checkout_has():
    """Texts of the code, as an installed copy says them: no target of the Makefile, and no document."""
    targets = "|".join(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lacking = re.compile(rf"\bmake ({targets})\b|bench/labs|(?<!share/doc/pagemap-bench/)\b[\w-]+\.md\b")
    own = (
        "bench/place.py",
        "bench/setup.py",
        "bench/report/selftests.py",
    )  # for a checkout
    found = []
    for path in stage.sources():
        if path.suffix != ".py" or not stage.INSTALLED.fullmatch(str(path)) or str(path) in (*own, *stage.FILES):
            continue
        tree = ast.parse((ROOT / path).read_text())
        documents = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
        for one in ast.walk(tree):
            if isinstance(one, ast.Constant) and isinstance(one.value, str) and id(one) not in documents:
                said = place.typed(one.value, installed=True)
                found += [f"{path}:{one.lineno}: {said}"] if lacking.search(said) else []
    assert not found
