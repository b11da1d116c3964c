# SPDX-License-Identifier: GPL-2.0-only
"""What conftest.py adds to pytest: skips that a place does not allow fail, and tests that boot come last."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import skips

ROOT = Path(__file__).resolve().parents[1]
SUITE = """
import pytest
def test_with_a_guest(image): pass
def test_first(): pass
@pytest.mark.parametrize("why", ["hugetlb works here", "I did not feel like it"])
def test_skipped(why): pytest.skip(why)
"""


def pytest_in(folder, *words):
    (folder / "conftest.py").write_text(
        "from tests.conftest import *\nimport pytest\n@pytest.fixture\ndef image(): pass\n"
    )
    (folder / "test_suite.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words, str(folder)]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    return done.stdout + done.stderr


def test_a_skip_fails_where_its_reason_is_not_allowed(tmp_path):
    assert "2 passed, 2 skipped" in pytest_in(tmp_path)
    said = pytest_in(tmp_path, "--only-skips", "here")
    assert "1 failed, 2 passed, 1 skipped" in said
    assert "this must not be skipped here: Skipped: I did not feel like it" in said
    assert "invalid choice" in pytest_in(tmp_path, "--only-skips", "nowhere")


def test_what_boots_comes_last(tmp_path):
    order = re.findall(r"::(test_\w+)", pytest_in(tmp_path, "-v"))
    assert order == ["test_first", "test_skipped", "test_skipped", "test_with_a_guest"]


@pytest.mark.parametrize("place", skips.ALLOWED)
def test_every_allowed_skip_has_its_reason(place):
    assert all(skips.ALLOWED[place].values())
    assert not skips.allowed(place, "")


def test_ci_uses_the_list():
    places = re.findall(r"--only-skips[ =](\S+)", (ROOT / ".ci/run").read_text())
    assert places
    assert set(places) <= skips.ALLOWED.keys()
