# SPDX-License-Identifier: GPL-2.0-only
"""What was counted beside the values, as frames."""

import numpy as np
import pytest

from bench.errors import BadInput
from bench.plan import records
from bench.plan.records import Timed
from bench.store import frames, ledger, log
from tests import synthetic

WHAT = [("idle", 100, 0.0), ("random", 1000, 10.0)]


@pytest.fixture
def folder(tmp_path):
    some = {"what": WHAT, "boots": 2, "processes": 4, "where": synthetic.COUNTED}
    return synthetic.result(tmp_path / "exact", exact=synthetic.FUNCTIONS, **some)


def test_functions_and_user_space_add_up_to_the_values(folder):
    found, result = ledger.load(folder), frames.load(folder)
    kernel = found.functions.groupby(ledger.VALUE, observed=True)["instructions"].sum()
    user = found.counters[found.counters["counter"] == ledger.USER].set_index(ledger.VALUE)["value"]
    forms = {(False, name): name for name in synthetic.ALL} | {(True, "scan-wp"): "scan-wp atomic"}
    frame = result.frame.assign(
        form=[forms[key] for key in zip(result.frame["atomic"], result.frame["interface"], strict=True)]
    )
    values = frame.astype({"phase": str}).set_index(ledger.VALUE)["value"]
    assert found.exact
    assert frame["exact"].all()
    assert len(kernel) == len(values)
    whole = (kernel + user).reset_index().astype({"phase": str}).set_index(ledger.VALUE)[0]
    np.testing.assert_allclose(whole.sort_index(), values.sort_index())
    assert set(found.foreign["function"]) == set(synthetic.FOREIGN)


def test_the_frame_names_boots_and_what_only_the_ledger_has(folder):
    result = frames.load(folder)
    assert result.more_counts
    assert set(result.boots) == {0, 1}
    assert result.boots[0]["where"] == synthetic.COUNTED


def test_a_result_of_the_clock_alone_says_how_to_count(tmp_path):
    plain = synthetic.result(tmp_path / "plain", what=WHAT)
    assert not frames.load(plain).more_counts
    assert not frames.load(plain).frame["exact"].any()
    with pytest.raises(BadInput, match="plain has no counts of events and functions") as caught:
        ledger.load(plain)
    assert "--where vm" in caught.value.hint
    with pytest.raises(BadInput, match="has no counts"):
        ledger.load(tmp_path)


def test_counters_of_a_real_machine_are_read_and_not_called_exact(tmp_path):
    folder = synthetic.result(tmp_path / "real", what=WHAT)
    counts = {"instructions:u": 5.0, "cycles:k": 7.5}

    def counted(series):
        return series._replace(
            counters={
                phase: {name: [count] * len(values) for name, count in counts.items()}
                for phase, values in series.values.items()
            }
        )

    lines = [
        one._replace(series=[counted(some) for some in one.series]) if isinstance(one, Timed) else one
        for one in map(records.decode, (folder / log.FILE).read_text().splitlines())
    ]
    found = ledger.load(synthetic.write(folder, lines))
    assert not found.exact
    assert not frames.load(folder).frame["exact"].any()
    assert dict(zip(found.counters["counter"], found.counters["value"], strict=True)) == counts
    assert found.functions.empty
