# SPDX-License-Identifier: GPL-2.0-only
"""./bench.py run --suite meaning on the running kernel: what it leaves, and what it leaves when it ends early."""

import pytest

from bench.plan import catalogue, suites
from bench.plan.interfaces import ACCESSED, INTERFACES, WRITTEN
from bench.plan.records import Played
from bench.run import settle
from bench.store import log, verdicts
from tests import synthetic
from tests.measure.conftest import working
from tests.support import bench, interrupted, refused
from tests.texts import assert_mailable


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small run of the suite on the running kernel: (folder, what was printed)."""
    working("scan-wp")
    folder = tmp_path_factory.mktemp("meaning") / "small"
    words = ["--suite", "meaning", "--where", "here", "--values", "3", "--filter", "p[al]*", "--interface", "scan-wp"]
    done = bench("run", *words, "--name", folder)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_a_run_ends_with_its_report_and_keeps_what_it_was(run):
    folder, done = run
    assert done.stderr.startswith("Playing 3 scenarios, each 3 times, with scan-wp, on the running kernel: about ")
    assert done.stdout.strip() == (folder / "report.txt").read_text().strip()
    assert_mailable(done.stdout)
    assert {path.name for path in folder.iterdir()} == {"records.jsonl", "report.txt", "meaning.png", "meaning.svg"}
    found = verdicts.load(folder)
    assert list(found.scenarios) == [name for name in catalogue.scenarios() if name.startswith(("pa", "pl"))]
    assert found.interfaces == ["scan-wp"]
    assert all((cell.kind, cell.plays) == ("exact", 3) for cell in found.cells.values())
    for key in ("kernel_release", "where", "mitigations", "cmdline", "copy_page_ns"):
        assert key in found.host
    words = "--interface scan-wp --filter 'p[al]*' --values 3 --where here"
    assert found.host["command"] == f"./bench.py run --suite meaning {words}"
    assert bench("report", folder).stdout == done.stdout


def test_interfaces_play_the_scenarios_about_what_they_report(tmp_path):
    """Of two that report different properties each plays its own, and KTAP has no parts but those."""
    names = [working("mprotect").name, working("mprotect-none").name]
    words = ["--suite", "meaning", "--where", "here", "--values", "1", "--filter", "plain|accessed_write"]
    done = bench("run", *words, *(f"--interface={name}" for name in names), "--name", tmp_path / "both")
    assert done.returncode == 0, done.stderr
    assert_mailable(done.stdout)
    text = " ".join(done.stdout.split())
    assert "Pages reported against pages changed" in text
    assert "Pages reported against pages accessed" in text
    assert "whose content changed or that were accessed" in text
    assert "INCOMPLETE" not in text
    found = verdicts.load(tmp_path / "both")
    assert {key: cell.text() for key, cell in found.cells.items()} == {
        ("plain", "mprotect"): "exact", ("accessed_write", "mprotect-none"): "exact",
    }  # fmt: skip
    ktap = bench("report", tmp_path / "both", "--format", "ktap").stdout
    parts = [line.split()[-1] for line in ktap.splitlines() if line.startswith("  ok ")]
    assert parts == ["plain.mprotect", "accessed_write.mprotect-none"]


def test_each_suite_of_scenarios_has_its_property():
    for suite, prop in (("meaning", WRITTEN), ("meaning-accessed", ACCESSED)):
        plan = settle.usual(suites.find(suite), 1 << 30)
        assert set(plan.scenarios) == set(catalogue.scenarios(prop))
        assert {INTERFACES[name].prop for name in plan.interfaces} == {prop}
        assert len(list(plan.jobs(0))) == len(plan.scenarios) * len(plan.interfaces)
    both = settle.usual(suites.find("meaning"), 1 << 30)._replace(interfaces=("mprotect", "mprotect-none"))
    assert {job.interface for job in both.jobs(0)} == {"mprotect"}, "none of its scenarios suits the other"


def test_ktap_of_a_run_and_its_exit_status(run, tmp_path):
    done = bench("report", run[0], "--format", "ktap")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("ok ")] == [
        "ok 1 partial_reset", "ok 2 plain", "ok 3 partial_reset_merge",
    ]  # fmt: skip
    working("mprotect")
    words = ["--suite", "meaning", "--where", "here", "--values", "2", "--interface", "mprotect", "--format", "ktap"]
    good = bench("run", *words, "--filter", "plain", "--name", tmp_path / "good")
    assert good.returncode == 0, good.stderr
    assert good.stdout.splitlines()[-1] == "ok 1 plain"
    bad = bench("run", *words, "--filter", "mprotect_round", "--name", tmp_path / "bad")
    assert bad.returncode == 1, "the program's own mprotect disarms a tracker that uses it"
    assert bad.stdout.splitlines()[-1] == "not ok 1 mprotect_round"
    assert "error: 1 of 1 scenarios are not ok" in bad.stderr


def test_a_kernel_that_lacks_it_all_is_skipped_in_tap(tmp_path):
    """The ioctl of the v6 series is in no kernel but those that were built with it."""
    words = ["--suite", "meaning", "--where", "here", "--values", "1", "--filter", "plain", "--name", tmp_path / "x"]
    done = bench("run", *words, "--interface", "v6", "--format", "tap")
    assert done.returncode == 4, "KSFT_SKIP of tools/testing/selftests/kselftest.h"
    version, plan = done.stdout.splitlines()
    assert version == "TAP version 13"
    assert plan.startswith("1..0 # SKIP no interface can be measured there (v6: the kernel lacks the ioctl")
    assert bench("run", *words, "--interface", "v6", "--format", "ktap").returncode == 3


def test_ctrl_c_keeps_the_verdicts_that_were_there(tmp_path):
    working("mprotect")
    folder = tmp_path / "interrupted"
    path = folder / log.FILE
    words = ["run", "--suite", "meaning", "--where", "here", "--interface", "mprotect", "--name", folder]
    interrupted(lambda: path.exists() and '"type":"played"' in path.read_text(), *words)
    played = [record for record in log.read(path)[0] if isinstance(record, Played)]
    every = len(catalogue.scenarios(WRITTEN))
    assert 0 < len(played) < every
    text = bench("report", folder).stdout
    assert_mailable(text)
    assert f"INCOMPLETE: {len(played)} of {every} verdicts" in " ".join(text.split())


def test_what_cannot_be_is_refused(tmp_path, run):
    suite = ["run", "--suite", "meaning", "--where", "here", "--name", tmp_path / "x"]
    assert "matches no scenario" in refused(*suite, "--filter", "nothing*")
    assert "--pages has no meaning" in refused(*suite, "--pages", "10")
    assert "boots once" in refused(*suite, "--processes", "3")
    assert "needs an interface that tracks" in refused(*suite, "--interface", "none")
    assert "there is no interface" in refused(*suite, "--interface", "bogus")
    assert "are for suites of scenarios" in refused(
        "run", "--format", "ktap", "--where", "here", "--name", tmp_path / "x"
    )
    assert "exists" in refused(*suite[:-1], run[0], "--filter", "plain")
    assert "ktap is about one result" in refused("report", run[0], run[0], "--format", "ktap")
    synthetic.result(tmp_path / "timing", processes=1)
    assert "is about one result of the suite meaning" in refused("report", tmp_path / "timing", "--format", "ktap")
    assert not (tmp_path / "x").exists()


def test_several_results_in_one_table(run, tmp_path):
    done = bench("report", run[0], run[0], "--name", tmp_path / "both")
    assert done.returncode == 0, done.stderr
    assert_mailable(done.stdout)
    assert {path.name for path in (tmp_path / "both").iterdir()} == {"report.txt", "meaning.png", "meaning.svg"}
    lines = bench("report", run[0], run[0], "--format", "csv").stdout.splitlines()
    assert len(lines) == 1 + 2 * 3
