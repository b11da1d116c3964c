# SPDX-License-Identifier: GPL-2.0-only
"""Events and samples as text: shares with their error, and only where there are enough samples."""

import re

import pytest

from bench.errors import BadInput
from bench.report import events, pages
from bench.store import events as store
from bench.store import frames
from tests.store.test_events import FAULTS, watched
from tests.support import bench, refused


@pytest.fixture
def folder(tmp_path):
    return watched(tmp_path / "real", events_missing="instructions:u: none here (ENOENT)", sampling="every 5 cycles")


def text(folder, **options):
    result = frames.load(folder)
    return events.text(store.load(folder), frames.intervals(result.frame), result.host, **options)


def test_shares_have_the_error_of_their_number(folder):
    said = text(folder, phase="collect")
    # 600 of 800: 1.96 sqrt(0.75 * 0.25 / 800)
    assert re.search(r"pagemap_scan_pmd_entry +75\.0% +3\.0%", said)
    assert re.search(r"mas_walk +25\.0% +3\.0%", said)
    assert "scan-wp, collect: 800 samples" in said
    assert re.search(rf"{FAULTS} +11\.5$", said, re.MULTILINE)
    assert "not counted: instructions:u: none here (ENOENT)" in said
    assert "sampled: every 5 cycles" in said
    assert max(map(len, said.splitlines())) <= 72


def test_few_samples_are_no_share(folder, monkeypatch):
    monkeypatch.setattr(events, "ENOUGH", 801)
    assert "samples of the kernel" not in text(folder)
    monkeypatch.setattr(events, "ENOUGH", 800)
    assert "samples of the kernel" in text(folder)


def test_functions_that_are_not_shown_are_one_line(folder, monkeypatch):
    monkeypatch.setattr(events, "SHOWN", 1)
    said = text(folder, phase="collect")
    assert re.search(r"other +25\.0% +3\.0%", said)
    assert "mas_walk" not in said


def test_what_is_not_there_is_refused(folder):
    with pytest.raises(BadInput, match="match nothing that was counted"):
        text(folder, pattern="nothing*")


def test_the_whole_report_and_the_command_functions_show_them(folder):
    assert text(folder) in pages.everything(pages.read(folder))
    done = bench("functions", folder, "--phase", "collect")
    assert done.stdout.strip() == text(folder, phase="collect").strip()
    assert "as text" in refused("functions", folder, "--format", "csv")
