# SPDX-License-Identifier: GPL-2.0-only
"""Which functions account for what: what is paired, that all adds up, and which case is shown."""

import pandas as pd
import pytest

from bench.stats import comparison, ledger
from bench.stats.ledger import Account, Case
from bench.store import frames
from bench.store import ledger as store
from tests import synthetic

CASE = Case("random", "anon", 1000, 10.0, "", "scan-wp")
WHAT = [("random", 100, 10.0), ("random", 10000, 10.0), ("random", 10000, 50.0), ("idle", 100, 0.0)]
MORE = {**synthetic.FUNCTIONS, "collect": {"pagemap_pmd_range": 0.72, "vm_normal_folio": 0.3}}


def account(user=10, **functions):
    named = {name.replace("__dot__", "."): float(count) for name, count in functions.items()}
    none = pd.Series(dtype="float64")
    return Account(CASE, "collect", pd.Series(named), none, pd.Series({"user": float(user)}), 1000, "page")


def exact(folder, shares=synthetic.FUNCTIONS, **options):
    some = {"what": WHAT, "boots": 5, "processes": 5, "rounds": 1, "noise": 1e-6, "where": synthetic.COUNTED}
    return synthetic.result(folder, exact=shares, **(some | options))


def changes(base, new, **options):
    sides = comparison.load([base, new])
    return ledger.changes(sides, [store.load(base), store.load(new)], **options)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("do_wp_page", "do_wp_page"),
        ("do_wp_page.isra.0", "do_wp_page"),
        ("walk.constprop.0.isra.0", "walk"),
        ("fault.part.0.cold", "fault"),
        ("fault.cold", "fault"),
        ("__isra_walk", "__isra_walk"),
        ("x86.partial", "x86.partial"),
    ],
)
def test_what_compilers_add_to_a_name_is_left_out(name, plain):
    assert ledger.plain(name) == plain


def test_differences_pair_add_up_and_begin_with_the_largest():
    base = account(walk=1000, old=300, same=50, fault__dot__isra__dot__0=80)
    new = account(user=12, walk=1100, new=350, same=50, fault=70, fault__dot__part__dot__0=5)
    found = ledger.differences(base, new)
    rows = list(found.itertuples(index=False, name=None))
    assert rows == [
        ("new", 0, 350, 350, "new"),
        ("old", 300, 0, -300, "gone"),
        ("walk", 1000, 1100, 100, ""),
        ("fault", 80, 75, -5, ""),
    ]
    assert found["change"].sum() + new.user - base.user == new.total - base.total


def test_a_change_is_accounted_for_in_the_phase_it_is_in_only(tmp_path):
    found = changes(exact(tmp_path / "base"), exact(tmp_path / "new", MORE, luck=8))
    assert {(one.base.case.form, one.base.phase) for one in found} == {
        (form, "collect") for form in ("clear_refs", "scan-softdirty", "scan-wp")
    }
    for one in found:
        assert one.base.case[:5] == ("random", "anon", 10000, 10.0, "")
        assert one.functions["change"].sum() + one.user == one.total > 0
        assert set(one.functions["how"]) == {"", "new", "gone"}
        assert (one.claimed, one.cases) == (4, 4)
    assert not changes(exact(tmp_path / "one"), exact(tmp_path / "two", luck=9))
    assert not changes(tmp_path / "base", tmp_path / "new", phases=["reset", "dirty"])


def test_where_the_representative_case_did_not_change_another_one_is_shown(tmp_path):
    base, new = exact(tmp_path / "base"), exact(tmp_path / "new", MORE, luck=8)
    found = changes(base, new, pattern="random pages=100 *")
    assert {one.base.case.pages for one in found} == {100}
    assert {one.cases for one in found} == {1}


def test_the_median_value_stands_for_a_case(tmp_path):
    folder = exact(tmp_path / "base", noise=0.05, boots=4, processes=4)
    found, rows = store.load(folder), frames.intervals(frames.load(folder).frame)
    kept = ledger.typical(found)
    assert not kept.counters.duplicated([*ledger.PHASE, "counter"]).any()
    for (case, phase), one in ledger.accounts(found, rows).items():
        if case.form == "scan-wp" and case.pages == 10000 and case.dirty_percent == 10:
            some = rows[(rows["form"] == case.form) & (rows["pages"] == 10000) & (rows["dirty_percent"] == 10)]
            assert one.total == some[phase].sort_values().iloc[1], "the lower one of the middle two"
            assert one.pages == (1000 if phase == "dirty" else 10000)


def test_boots_that_differ_are_named_with_their_functions(tmp_path):
    steady = exact(tmp_path / "steady", noise=0, boots=3, processes=3)
    assert not ledger.unsteady(store.load(steady), frames.intervals(frames.load(steady).frame))
    noisy = exact(tmp_path / "noisy", noise=0.01, boots=3, processes=3)
    found = ledger.unsteady(store.load(noisy), frames.intervals(frames.load(noisy).frame))
    assert found
    assert [one.ratio for one in found] == sorted((one.ratio for one in found), reverse=True)
    first = next(one for one in found if one.phase == "collect_reset")
    assert set(first.functions["function"]) == set(synthetic.FUNCTIONS["collect_reset"])
    assert (first.functions["change"] > 0).all()
    assert first.ratio > 1 + ledger.REPEATS
    alone = exact(tmp_path / "alone", boots=1)
    assert not ledger.unsteady(store.load(alone), frames.intervals(frames.load(alone).frame))
