# SPDX-License-Identifier: GPL-2.0-only
"""Events and samples of results that were taken by the clock: means of counters, sums of samples."""

import pytest

from bench.plan import records
from bench.plan.records import Timed
from bench.store import events, log
from tests import synthetic

WHAT = [("random", 1000, 10.0)]
FAULTS, CYCLES, SCAN = "page-faults:u", "cycles:k", {"pagemap_scan_pmd_entry": 300, "mas_walk": 100}


def watched(folder, **facts):
    """A result whose first process counts user space, the second the kernel, and the third samples, as workers do."""
    synthetic.result(folder, what=WHAT, processes=6, **facts)

    def with_events(timed, series):
        turn = timed.process % 3
        if turn == 2:
            return series._replace(samples={phase: SCAN for phase in series.values if phase == "collect"})
        count = {FAULTS: [10.0 + timed.process]} if turn == 0 else {CYCLES: [1000.0]}
        return series._replace(counters=dict.fromkeys(series.values, count))

    lines = [
        one._replace(series=[with_events(one, some) for some in one.series]) if isinstance(one, Timed) else one
        for one in map(records.decode, (folder / log.FILE).read_text().splitlines())
    ]
    return synthetic.write(folder, lines)


def test_counters_are_means_and_samples_are_sums_over_processes(tmp_path):
    found = events.load(watched(tmp_path / "real"))
    assert set(found.counters["counter"]) == {FAULTS, CYCLES}
    values = found.counters.set_index("counter")["value"]
    assert set(values[FAULTS]) == {(10.0 + 13.0) / 2}
    assert set(values[CYCLES]) == {1000.0}
    assert set(found.samples["phase"]) == {"collect"}
    for _, form in found.samples.groupby("form"):
        assert dict(zip(form["function"], form["samples"], strict=True)) == {
            name: 2 * count for name, count in SCAN.items()
        }


@pytest.mark.parametrize("exact", [True, False])
def test_what_has_exact_counts_or_none_has_no_events(tmp_path, exact):
    some = {"exact": synthetic.FUNCTIONS, "where": synthetic.COUNTED} if exact else {}
    assert events.load(synthetic.result(tmp_path / "other", what=WHAT, **some)) is None
    assert events.load(tmp_path) is None
