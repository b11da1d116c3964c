# SPDX-License-Identifier: GPL-2.0-only
"""The suites and the settings of a point: what each promises, what is refused, what its own tables say."""

import re
from collections import Counter

import pytest

from bench import answers, report, results, suite, suites, tables
from bench.errors import BadInput
from bench.mapping import KINDS
from bench.suite import DEFAULTS, SETTINGS, Point, make_point
from tests import synthetic
from tests.test_command_line import ROOT, bench, refused
from tests.test_tables import assert_mailable, intervals

MIB = 1 << 20


def test_every_suite_that_was_promised_is_there_with_its_source():
    names = {"quick", "lkml-2022", "density", "scale", "who-pays", "getwritewatch", "predump", "kinds", "writers"}
    assert names | {"buffers", "surroundings", "arm"} == set(suites.SUITES)
    for one in suites.SUITES.values():
        assert one.summary
        assert one.source
        assert len({point.name for point in one.points}) == len(one.points)
        for point in one.points:
            fields = point._asdict()
            first = [fields.pop(key) for key in ("workload", "pages", "dirty_percent")]
            assert make_point(*first, **fields) == point, "what a suite asks for can be"


def axis(name, key):
    return {getattr(point, key) for point in suites.SUITES[name].points}


def test_the_suites_cover_what_was_asked_for():
    assert axis("lkml-2022", "pages") == {1, 10, 100, 1000, 10_000}
    assert axis("density", "dirty_percent") == {0, 0.1, 1, 5, 10, 20, 50, 80, 100}
    assert {"sequential", "random"} <= axis("density", "workload")
    assert min(axis("scale", "pages")) == 1
    assert max(axis("scale", "pages")) == 4 * 2**20
    assert axis("who-pays", "pages") == {n * 256 for n in (1, 10, 50, 100, 250, 500, 1024)}
    assert axis("predump", "external") == {1}
    assert axis("kinds", "kind") == set(KINDS)
    assert axis("writers", "writers") >= {1, 2, 4}
    assert axis("writers", "concurrent") == {0, 1}
    assert axis("buffers", "vec_len") == {0, 1, 32, 64, 512}
    assert axis("buffers", "read_bytes") >= {0, 65536, 2 * MIB}
    assert max(axis("arm", "pages")) * 4096 == 10 << 30
    assert len(axis("arm", "populate")) == 4
    assert axis("arm", "kind") == {"anon", "anon-thp"}
    assert min(axis("getwritewatch", "watch_percent")) < 1


def test_a_name_says_what_differs_from_the_usual_and_nothing_else():
    assert set(SETTINGS) == set(DEFAULTS), "every setting has an option and a name"
    point = make_point("random", 1024, 10, kind="shmem", writers=4, concurrent=1, ballast=1 << 30)
    assert point.name == "random pages=1024 dirty=10% kind=shmem writers=4 concurrent ballast=1GiB"
    assert make_point("random", 8, 10, writers=2, sharing="shared").setting == "writers=2 shared"
    assert make_point("idle", 1, 10).name == "idle pages=1 dirty=0%"
    other = make_point("random", 1024, 10, watch_percent=1.5, read_bytes=0, vec_len=7, external=1, populate="none")
    assert other.setting == "external watch=1.5% populate=none vec_len=7 read=one"


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"kind": "ramdisk"}, "anon-thp"),
        ({"kind": "hugetlb", "pages": 1000}, "steps of 512"),
        ({"vmas": 65}, "1 to 64"),
        ({"kind": "anon-thp", "pages": 1024, "vmas": 3}, "1 to 2"),
        ({"writers": 0}, "1 to 256"),
        ({"writers": 2, "external": 1}, "--external"),
        ({"watch_percent": 0}, "more than 0"),
        ({"populated_percent": 101}, "up to 100"),
        ({"populated_percent": 10, "populate": "none"}, "--populate"),
        ({"read_bytes": 100}, "64K"),
        ({"max_pages": 2**32}, "default"),
        ({"sharing": "both"}, "disjoint, shared"),
        ({"masks": "slow"}, "fast, extra"),
    ],
)
def test_what_can_not_be_is_refused_with_a_hint(settings, hint):
    pages = settings.pop("pages", 64)
    with pytest.raises(BadInput) as refusal:
        make_point("random", pages, 10, **settings)
    assert hint in refusal.value.hint


def test_memory_needed_follows_from_what_is_populated():
    base = make_point("random", 2**20, 10).bytes_needed
    assert make_point("random", 2**20, 10, ballast=1 << 30).bytes_needed == base + (1 << 30)
    assert make_point("random", 2**20, 10, populated_percent=1).bytes_needed < base / 10
    assert make_point("random", 2**20, 1, populate="none").bytes_needed < base / 10
    assert make_point("random", 2**20, 1, populate="none", kind="anon-thp").bytes_needed > 4 << 30


def test_list_explains_each_suite_with_its_source_and_what_it_takes():
    text = bench("list").stdout
    for one in suites.SUITES.values():
        block = text.split(f"\n  {one.name:15} ")[1].split("\n")[:3]
        assert block[0] == one.summary
        assert block[1].strip() == one.source
        assert re.search(rf"{len(one.points)} points.*; [\d.]+ (s|min|h), \d+ MiB$", block[2])


def test_settings_make_a_grid_and_the_recorded_command_repeats_it(tmp_path):
    folder = tmp_path / "grid"
    words = ["run", "--where", "here", "--pages", "64", "--processes", "1", "--interface", "mprotect"]
    words += ["--writers", "1,2", "--sharing", "shared", "--vmas", "1,4", "--ballast", "1M", "--watch", "50%"]
    done = bench(*words, "--name", folder)
    assert done.returncode == 0, done.stderr
    loaded = results.load(folder / "suite.json")
    settings = [f"{w}shared {v}watch=50% ballast=1MiB" for w in ("", "writers=2 ") for v in ("", "vmas=4 ")]
    assert set(loaded.frame["setting"]) == set(settings)
    command = loaded.host["command"]
    assert "--writers 1,2 --sharing shared --vmas 1,4 --watch 50 --ballast 1048576" in command
    assert "(usual)" not in done.stdout
    assert re.search(r"writers=2 shared vmas=4 watch=50%\s+ballast=1MiB|writers=2 shared vmas=4", done.stdout)


def test_a_sort_of_memory_that_is_not_to_be_had_is_named_and_the_others_are_measured(tmp_path):
    words = ["run", "--where", "here", "--kind", "shmem,hugetlb", "--pages", "512", "--processes", "1"]
    done = bench(*words, "--interface", "mprotect", "--name", tmp_path / "x")
    assert done.returncode == 0, done.stderr
    if "kind=hugetlb" in (tmp_path / "x/suite.json").read_text():
        pytest.skip("hugetlb works here")
    assert "Not measured: hugetlb: too few huge pages of 2 MiB are reserved" in " ".join(done.stdout.split())
    assert "INCOMPLETE" not in done.stdout, "what can't be measured was not planned"


def test_files_are_made_where_one_says_and_the_report_names_the_file_system(tmp_path):
    words = ["run", "--where", "here", "--kind", "file-shared", "--pages", "64", "--processes", "1"]
    done = bench(*words, "--directory", tmp_path, "--interface", "mprotect", "--name", tmp_path / "x")
    assert done.returncode == 0, done.stderr
    assert re.search(r"shared file \(on \w+\)", done.stdout)
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]
    assert "does not exist" in refused(*words, "--directory", tmp_path / "absent")
    assert "no file system but tmpfs" in refused("run", "--where", "vm", "--directory", tmp_path)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--kind", "ramdisk"], "there is no kind 'ramdisk'"),
        (["--ballast", "lots"], "not a list of sizes"),
        (["--writers", "many"], "not a list of numbers"),
        (["--kind", "hugetlb", "--pages", "100"], "no whole huge pages"),
    ],
)
def test_mistakes_in_settings_are_refused(words, text):
    assert text in refused("run", *words)


def rows_of(tmp_path, name, **options):
    names = ["none", "clear_refs", "scan-wp", "uffd-sync", "mprotect"]
    return intervals(tmp_path, what=suites.SUITES[name].points, suite=name, interfaces=names, **options)


def test_cycles_stand_beside_the_published_table_that_is_named_as_another_machines(tmp_path):
    rows = rows_of(tmp_path, "lkml-2022", noise=0.001)
    text = answers.cycles(rows)
    seconds = rows[(rows["form"] == "mprotect") & (rows["pages"] == 10_000)]["seconds"].median()
    ours, theirs = text.split("PUBLISHED, ANOTHER MACHINE")
    last = next(line for line in ours.splitlines() if line.startswith("  10000"))
    assert float(last.split("|")[-1]) == pytest.approx(seconds * 2.5e6, rel=0.001)
    assert "mprotect-sigsegv" in theirs
    assert re.search(r"10000 \|\s+17563 \|\s+8924 \|\s+621522 \|\s+60149", theirs)
    assert "No TSC cycles" in answers.cycles(rows.assign(tsc_hz=0.0))
    fault = answers.faults(rows)
    assert "1.92" in fault.split("PUBLISHED, ANOTHER MACHINE")[1]
    for part in (text, fault):
        assert_mailable(part)


def test_overhead_is_in_percent_of_the_untracked_writes(tmp_path):
    rows = rows_of(tmp_path, "who-pays", noise=0.001)
    text = answers.overhead(rows)
    some = rows[(rows["form"] == "uffd-sync") & (rows["pages"] == 256)]
    percent = (100 * some["tracked"] / some["untracked"]).median()
    assert f"{percent:.0f}" in text.split("PUBLISHED")[0]
    published = text.split("PUBLISHED, ANOTHER MACHINE")
    assert len(published) == 3
    assert re.search(r"262144 \|\s+1463 \|\s+335", published[1])
    assert re.search(r"262144 \|\s+1349 \|\s+147", published[2])
    assert_mailable(text)


def test_the_fit_finds_the_fixed_cost_and_that_of_a_page(tmp_path):
    rows = rows_of(tmp_path, "scale", noise=0.0)
    found = {form: (fixed, page, worst) for form, fixed, page, worst in answers.fits(results.sweep(rows))}
    call, reset, collect, write = synthetic.COST["scan-wp"]
    fixed, page, worst = found["scan-wp"]
    assert fixed == pytest.approx(1.25 * call, rel=0.3)
    assert page == pytest.approx(reset + collect + 0.1 * write, rel=0.05)
    assert worst < 0.3
    assert_mailable(answers.per_page(rows))


def test_arming_shows_every_way_of_populating(tmp_path):
    rows = rows_of(tmp_path, "arm")
    text = answers.arming(rows)
    assert_mailable(text)
    lines = text.splitlines()
    assert Counter(line.strip().split()[0] for line in lines if "| " in line)["scan-wp"] == 16
    largest = lines[next(i for i, line in enumerate(lines) if "2621440" in line) :]
    populate = next(line for line in largest if "scan-wp" in line).split("|")[1]
    assert float(populate) == pytest.approx(655.4, rel=0.03), "ms"


def test_the_page_of_each_suite_has_its_own_tables(tmp_path):
    for name, words in (("who-pays", "Overhead"), ("scale", "Cost per page"), ("arm", "first arming")):
        folder = tmp_path / name
        synthetic.suite(folder / "suite.json", what=suites.SUITES[name].points, suite=name, processes=2, rounds=1)
        made = report.read(folder)
        assert words in report.page(made)
        assert words in report.everything(made)


def test_published_numbers_keep_their_source():
    for name in ("lkml-2022", "who-pays", "fault-latency"):
        found = results.published(name)
        assert "Source: " in found.about
        assert not found.frame.empty
    assert results.published("quick") is None


def test_a_headline_over_settings_prefers_the_usual_memory(tmp_path):
    rows = intervals(tmp_path, what=suites.SUITES["writers"].points, suite="writers", processes=2)
    assert results.axis(rows) == "setting"
    assert results.foremost(rows)["setting"].unique().tolist() == [""]
    sizes = intervals(tmp_path / "sizes", what=suites.SUITES["predump"].points, suite="predump", processes=2)
    assert results.axis(sizes) == "pages"
    assert results.sweep(sizes)["setting"].unique().tolist() == ["external"]
    assert suite.size(1536 << 20) == "1536MiB"
    assert Point("random", 8, 10).changed == {}


def test_every_run_that_the_readme_shows_can_be():
    """As far as its points, which a filter that matches none of them shows without measuring."""
    lines = [line.split("#")[0].split() for line in (ROOT / "README.md").read_text().splitlines()]
    shown = [words for words in lines if words[:2] == ["./bench.py", "run"] and "-filter" not in words]
    assert len(shown) > 5
    for words in shown:
        if "debian:" not in words and "meaning" not in words and "\\" not in words:
            assert "matches no point" in refused(*words[1:], "--filter", "none at all"), words


def test_points_of_ones_own_are_no_suite(tmp_path):
    """Else the table of 2022 would stand beside something else than its pages."""
    folder = tmp_path / "own"
    words = ["run", "--where", "here", "--suite", "lkml-2022", "--pages", "8", "--processes", "1", "--interface"]
    done = bench(*words, "mprotect", "--name", folder)
    assert done.returncode == 0, done.stderr
    assert "suite own" in " ".join(done.stdout.split())
    assert "PUBLISHED" not in done.stdout
    assert not (folder / "published.png").exists()
    assert "--suite lkml-2022" in results.load(folder / "suite.json").host["command"]


def test_concurrent_rows_say_what_their_cost_is(tmp_path):
    rows = intervals(tmp_path, what=suites.SUITES["writers"].points, suite="writers", processes=2)
    text = " ".join(tables.against(rows, "setting", "").split())
    assert "concurrent: two collects and resets an interval" in text
    assert "in 0 of" in text
    assert not tables.concurrent(rows[rows["setting"] == ""])


@pytest.mark.parametrize(
    "settings", [{"sharing": "shared", "writers": 2}, {"first": 1}, {"workload": "hotset"}], ids=str
)
def test_concurrent_intervals_that_could_not_be_checked_are_refused(settings):
    name = settings.pop("workload", "random")
    with pytest.raises(BadInput):
        make_point(name, 64, 10, concurrent=1, **settings)
