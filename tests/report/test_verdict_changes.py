# SPDX-License-Identifier: GPL-2.0-only
"""What changed from one result of the suite meaning to another: for readers, for CI, and for cover letters."""

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest

from bench.errors import BadInput, LimitExceeded, NoVerdict
from bench.plan.records import Messages, Plays
from bench.report import blocks, gate, pages, verdict_changes
from bench.stats import verdict_changes as stats
from bench.store import verdicts
from tests import synthetic
from tests.support import bench, refused
from tests.texts import assert_mailable, words

EXACT = [Plays(9, written=1)]
DOCUMENTED = [Plays(9, extra=3, written=1)]
MORE = [Plays(9, extra=7, broken=7, surplus=7, written=1)]
LOST = [Plays(9, missed=1, broken=1, written=1)]
RACE = [Plays(7, written=9), Plays(2, missed=5, broken=5, written=9)]
REFUSED = [Plays(1, why="PAGEMAP_SCAN says EPERM", ended="refused")]
NO = [Plays(1, why="there is no swap", remedy="swapon")]
NEVER = [Plays(1, why="it has no such call")]
BREAKS = [Plays(1, failed="read fails: Bad address", ended="breaks")]
HUNG = [Plays(1, failed="it did not end within 20 s", ended="hung")]
CRASHED = [Plays(1, failed="BUG: unable to handle page fault", ended="crashed")]


def made(folder, runs, release="6.12.1", names=("clear_refs",), **options):
    """A result whose verdicts are these of each scenario, by interface or of the only one."""
    found = {(s, n): r for s, by in runs.items() for n, r in (by if isinstance(by, dict) else {names[0]: by}).items()}
    return verdicts.load(synthetic.played(folder / release, release, found, names, tuple(runs), **options))


@pytest.mark.parametrize(
    ("before", "after", "way"),
    [
        (EXACT, EXACT, ""),
        (EXACT, DOCUMENTED, "within"),
        (DOCUMENTED, EXACT, "within"),
        (DOCUMENTED, [Plays(9, extra=5, written=1)], ""),
        (EXACT, MORE, "worse"),
        (DOCUMENTED, MORE, "worse"),
        (MORE, [Plays(9, extra=8, broken=8, surplus=8, written=1)], "worse"),
        (MORE, [Plays(9, extra=2, broken=2, surplus=2, written=1)], "better"),
        (MORE, LOST, "worse"),
        (MORE, REFUSED, "worse"),
        (LOST, REFUSED, "better"),
        (REFUSED, EXACT, "better"),
        (LOST, MORE, "better"),
        (LOST, LOST, ""),
        (LOST, [Plays(9, missed=2, broken=2, written=2)], "worse"),
        (EXACT, RACE, "worse"),
        (RACE, [Plays(5, written=9), Plays(4, missed=8, broken=8, written=9)], ""),
        (LOST, CRASHED, "worse"),
        (CRASHED, HUNG, "better"),
        (CRASHED, [Plays(1, failed="BUG: another", ended="crashed")], ""),
        (BREAKS, EXACT, "better"),
        (LOST, BREAKS, "worse"),
    ],
)
def test_which_way_a_verdict_went(tmp_path, before, after, way):
    runs = [{"plain": one} for one in (before, after)]
    base, new = (made(tmp_path, one, release) for one, release in zip(runs, ("6.12.1", "7.3.4"), strict=True))
    found = stats.compare(base, new)
    assert [one.way for one in found.changed] == [way] * bool(way)
    back = stats.compare(new, base)
    opposite = {"worse": "better", "better": "worse"}.get(way, way)
    assert [one.way for one in back.changed] == [opposite] * bool(way)


@pytest.mark.parametrize(
    ("gone", "error", "why"), [(NO, NoVerdict, "no verdict: .*: not possible there"), (NEVER, LimitExceeded, "swapped")]
)
def test_what_is_not_possible_is_no_verdict_that_changed(tmp_path, gone, error, why):
    """A machine that could not play it leaves the question open; a kernel that can no longer play it fails."""
    base = made(tmp_path, {"plain": EXACT, "swapped": EXACT})
    new = made(tmp_path, {"plain": EXACT, "swapped": gone}, "7.3.4")
    found = stats.compare(base, new)
    assert (found.changed, found.common, found.gone) == ([], 1, [("swapped", "clear_refs")])
    assert "Only 6.12.1 has 1 verdict: clear_refs (swapped)." in words(verdict_changes.text([base, new]))
    with pytest.raises(error, match=r"1 verdict of 6\.12\.1 not in 7\.3\.4, such as swapped with clear_refs") as said:
        gate.judge_verdicts([base, new])
    assert re.search(why, str(said.value))


@pytest.fixture
def two(tmp_path):
    """A kernel and a later one: merges are worse now, a path is right now, a page is documented to be extra."""
    names = ("clear_refs", "scan-softdirty", "scan-wp", "scan-wp-general", "scan-wp-inverted")
    paths = names[2:]
    old = {
        "plain": {},
        "merge_brk": dict.fromkeys(names, EXACT),
        "unregistered": dict.fromkeys(paths, MORE),
        "fork_then_reset": dict.fromkeys(names, EXACT),
    }
    new = old | {
        "merge_brk": dict.fromkeys(names[:2], MORE) | dict.fromkeys(paths, EXACT),
        "unregistered": {},
        "fork_then_reset": {"clear_refs": DOCUMENTED},
    }
    return [made(tmp_path, old, names=names), made(tmp_path, new, "7.3.4", names=names)]


def test_what_changed_is_told_in_a_minute(two):
    text = verdict_changes.text(two)
    assert_mailable(text)
    assert len(text.splitlines()) < 45
    said = words(text)
    assert said.startswith(
        "From 6.12.1 to 7.3.4 6 of 20 verdicts changed: 2 for the worse, 3 for the better, 1 within what is documented."
    )
    rows = [line.split() for line in text.splitlines()]
    assert ["merge_brk", "clear_refs,", "exact", "+7"] in rows
    assert ["unregistered", "scan-wp", "(3", "paths)", "+7", "exact"] in rows
    assert ["fork_then_reset", "clear_refs", "exact", "(+3)"] in rows
    order = [text.index(way) for way in ("\n  for the worse", "\n  for the better", "\n  within what is documented")]
    assert order == sorted(order)
    assert "plain" not in said.split("Measured")[0]
    assert "none of 20 verdicts changed" in words(verdict_changes.text([two[0], two[0]]))


def test_a_crash_that_is_new_comes_first_and_one_that_both_know_is_no_news(tmp_path):
    base = made(tmp_path, {"plain": EXACT, "swapped": CRASHED})
    new = made(tmp_path, {"plain": CRASHED, "swapped": CRASHED}, "7.3.4")
    text = verdict_changes.text([base, new])
    assert_mailable(text)
    assert words(text).startswith("CRASHED on 7.3.4: clear_refs, plain: BUG: unable to handle page fault. From 6.12.1")
    assert "swapped" not in text


def test_a_letter_has_room_for_the_worst_only(tmp_path):
    names = [f"scenario_{i:02}" for i in range(40)]
    base = made(tmp_path, dict.fromkeys(names, EXACT))
    new = made(tmp_path, {name: MORE if i % 2 else DOCUMENTED for i, name in enumerate(names)}, "7.3.4")
    block = words(blocks.block([tmp_path / one.name for one in (base, new)]))
    assert "And 20 more: ./bench.py compare BASE NEW" in block
    assert all(name in block for name in names[1::2])
    assert not any(f"{name} " in block for name in names[::2])
    assert all(name in verdict_changes.text([base, new]) for name in names)


def test_the_same_as_csv_json_markdown_and_html(two):
    rows = list(csv.DictReader(io.StringIO(verdict_changes.frame(two).to_csv(index=False))))
    assert len(rows) == 6
    first = next(row for row in rows if row["scenario"] == "merge_brk")
    assert (first["way"], first["base"], first["new"], first["new_extra_pages"]) == ("worse", "exact", "+7", "7")
    data = json.loads(verdict_changes.as_json(two))
    assert data["schema"] == verdict_changes.SCHEMA
    assert len(data["changes"]) == 6
    assert data["results"][0]["common"] == 20
    table = verdict_changes.markdown(two)
    assert "| merge_brk | clear_refs, scan-softdirty | exact | +7 | for the worse |" in table
    page = verdict_changes.as_html(two)
    assert {"merge_brk", "clear_refs, scan-softdirty", "scan-wp (3 paths)", "+7"} <= set(cells(page))
    assert "<script" not in page


def cells(page):
    """The texts of a page's tables."""

    class Cells(HTMLParser):
        found: list[str] = []  # noqa: RUF012
        tag = ""

        def handle_starttag(self, tag, attrs):
            self.tag = tag

        def handle_data(self, data):
            if self.tag in ("td", "th", "br"):
                self.found.append(data)

    reader = Cells()
    reader.found = []
    reader.feed(page)
    return reader.found


def test_the_block_of_a_cover_letter(two, tmp_path):
    folders = [tmp_path / one.name for one in two]
    block = blocks.block(folders)
    assert_mailable(block)
    assert len(block.splitlines()) <= 60
    assert "6 of 20 verdicts changed" in words(block)
    assert "To repeat: ./bench.py run --suite meaning 6.12.1 with Linux 6.12.1" in words(block)
    one = blocks.block(folders[:1])
    assert_mailable(one)
    assert "How many scenarios ended how" in one
    with pytest.raises(BadInput, match="choose among times"):
        blocks.block(folders, metric="reset")


def test_which_change_fails_is_said_by_a_word(tmp_path):
    base = made(tmp_path, {"plain": EXACT, "swapped": EXACT})
    within = made(tmp_path, {"plain": EXACT, "swapped": DOCUMENTED}, "6.13.1")
    more = made(tmp_path, {"plain": EXACT, "swapped": MORE}, "6.14.1")
    lost = made(tmp_path, {"plain": LOST, "swapped": EXACT}, "6.15.1")
    crash = made(tmp_path, {"plain": CRASHED, "swapped": MORE}, "6.16.1")
    for new, fails in ((within, ()), (more, ("worse",)), (lost, ("worse", "broken")), (crash, ("worse", "broken"))):
        for word in gate.WORDS:
            if word in fails or word == "change":
                with pytest.raises(LimitExceeded, match="such as"):
                    gate.judge_verdicts([base, new], word)
            else:
                assert "nothing" in gate.judge_verdicts([base, new], word)
    with pytest.raises(
        LimitExceeded, match=r"2 verdicts worse .* such as plain with clear_refs: crashed against exact"
    ):
        gate.judge_verdicts([base, crash], 3.0)
    assert gate.judge_verdicts([crash, base], "worse"), "mended"
    with pytest.raises(NoVerdict, match="have no scenario in common"):
        gate.judge_verdicts([base, made(tmp_path, {"another": EXACT}, "7.0.1")])


def test_a_kernel_that_complains_fails_though_no_verdict_changed(tmp_path):
    quiet = made(tmp_path, {"plain": EXACT}, messages=[Messages(0, {}, [])])
    loud = made(tmp_path, {"plain": EXACT}, "7.3.4", messages=[Messages(0, {"WARNING": 1}, ["[ 9.0] WARNING: x"])])
    with pytest.raises(LimitExceeded, match=r"kernel log of 7.3.4 has 1 WARNING \(against 0\)"):
        gate.judge_verdicts([quiet, loud], "broken")


def test_the_command_line(two, tmp_path):
    base, new = (tmp_path / one.name for one in two)
    done = bench("compare", base, new, "--name", tmp_path / "kept")
    assert done.returncode == 0, done.stderr
    assert "6 of 20 verdicts changed" in words(done.stdout)
    names = {"compare.txt", "compare.csv", "compare.html", "report.txt", "meaning.png", "meaning.svg"}
    assert {path.name for path in (tmp_path / "kept").iterdir()} == names
    assert "2 verdicts worse in 7.3.4 against 6.12.1" in refused(
        "compare", base, new, "--fail-on", "worse", "--filter", "merge*", status=1
    )
    assert bench("compare", base, new, "--fail-on", "broken").returncode == 0
    assert "matches no verdict" in refused("compare", base, new, "--filter", "nothing*")
    assert "percentage such as 3%" in refused("compare", base, new, "--fail-on", "bad")
    times = [synthetic.result(tmp_path / name, what=[("random", 8, 10.0)]) for name in ("a", "b")]
    assert "is for results of the suite meaning" in refused("compare", *times, "--fail-on", "worse")
    page = bench("compare", *times, "--format", "html").stdout
    assert {"clear_refs", "base"} <= set(cells(page)) | {line.strip("<h2>/") for line in page.splitlines()}
    assert bench("cover-letter", base, new).stdout.startswith("Benchmark results\n\n  From 6.12.1 to 7.3.4 6 of 20")


def test_the_page_of_verdicts(two, tmp_path):
    done = bench("report", tmp_path / two[0].name, "--format", "html")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / two[0].name / "report.html").read_text()
    assert done.stdout.strip().endswith("report.html")
    found = cells(page)
    assert {"merged areas", "merge_brk", "exact", "+7", "clear_refs", "6.12.1"} <= set(found)
    assert "<svg" in page
    assert not re.search(r"<script|(?:src|href)=.http", page)
    assert "give one a name" in refused("report", *(tmp_path / one.name for one in two), "--format", "html")
    assert bench("report", *(tmp_path / one.name for one in two), "--format", "html", "--name", tmp_path / "x").stdout


def test_what_nothing_explains_is_said_to_be_so(tmp_path):
    one = made(tmp_path, {"plain": MORE})
    path = pages.meant_html([one], tmp_path / "out", lambda frame, kind: ([], [], {}))
    assert 'title="no source explains it"' in path.read_text()
    assert "<b>Unexplained</b>: plain with clear_refs" in path.read_text()


def test_a_hostile_result_stays_harmless_in_its_page(tmp_path):
    evil = "<script>alert(1)</script>"
    runs = {"plain": [Plays(1, failed=evil, ended="crashed")]}
    one = made(tmp_path, runs, cpu_model_name=evil)
    path = pages.meant_html([one], tmp_path / "out", lambda frame, kind: ([], [], {}))
    assert evil not in path.read_text()
    assert "&lt;script&gt;" in path.read_text()
