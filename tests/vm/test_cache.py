# SPDX-License-Identifier: GPL-2.0-only
"""The cache's folder and its locks: who can't have one is told why; what killed holders left half-made goes."""

import pytest

from bench.errors import PermissionDenied, Unsupported
from bench.vm import cache


@pytest.fixture(autouse=True)
def own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "pagemap-bench"


@pytest.mark.parametrize("given", ["", "relative/folder"])
def test_a_cache_home_that_is_no_absolute_path_counts_as_unset(given, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.place() == tmp_path / "home/.cache/pagemap-bench"


def test_a_cache_that_cannot_be_made_is_an_error_with_a_hint(own):
    own.write_text("a file")
    with pytest.raises(PermissionDenied, match=f"can't make the cache folder {own}/kernels: Not a directory") as raised:
        cache.folder("kernels")
    assert "XDG_CACHE_HOME" in raised.value.hint


def test_what_another_keeps_for_too_long_is_named(monkeypatch, own):
    monkeypatch.setattr(cache, "_PATIENCE", 0.0)
    with cache.lock("kernels"):
        with pytest.raises(Unsupported, match=f"another process has kept {own}/kernels"), cache.lock("kernels"):
            pass
        with cache.lock("symbols"):
            pass
    with cache.lock("kernels"):
        pass


def test_a_wait_for_another_is_told_once(monkeypatch, own):
    monkeypatch.setattr(cache, "_PATIENCE", 0.5)
    monkeypatch.setattr(cache, "_SAID_SECONDS", 0.1)
    said = []
    with cache.lock("builds/a"), pytest.raises(Unsupported), cache.lock("builds/a", said.append):
        pass
    assert said == [f"another process is making something in {own}/builds/a: waiting for it"]
    with cache.lock("builds/a", said.append):
        assert len(said) == 1


def test_a_lock_that_leads_nowhere_is_an_error(own):
    (cache.folder("kernels") / cache.LOCK).symlink_to(own / "none/lock")
    with pytest.raises(FileNotFoundError), cache.lock("kernels"):
        pass


def test_a_folder_that_is_cleaned_away_before_it_is_locked_is_made_again(monkeypatch, own):
    folder, found = cache.folder, []

    def cleaned(name):
        path = folder(name)
        if not found:
            path.rmdir()
        found.append(path)
        return path

    monkeypatch.setattr(cache, "folder", cleaned)
    with cache.lock("kernels"):
        assert (own / "kernels" / cache.LOCK).exists()
    assert len(found) > 1


def test_what_a_killed_holder_was_making_is_removed():
    folder = cache.folder("builds")
    (folder / ".half").write_text("half a file")
    (folder / ".tree").mkdir()
    (folder / ".tree/object.o").write_text("")
    (folder / ".link").symlink_to("/")
    (folder / "whole").write_text("kept")
    with cache.lock("builds"):
        assert sorted(path.name for path in folder.iterdir()) == [cache.LOCK, "whole"]
