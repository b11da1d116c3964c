# SPDX-License-Identifier: GPL-2.0-only
"""A point: its name, the memory it needs, and what it can't be."""

import pytest

from bench.errors import BadInput
from bench.plan.grids import make_point
from bench.plan.points import DEFAULTS, Point
from bench.plan.settings import SETTINGS, size


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
        ({"life": "long"}, "idle, busy"),
        ({"life": "idle", "first": 1}, "--first"),
        ({"life": "idle", "prior_percent": 5}, "--prior"),
        ({"trackers": 257}, "1 to 256"),
        ({"trackers": 65}, "at most 64"),
        ({"kind": "hugetlb", "pages": 1024, "trackers": 3}, "at most 2"),
        ({"trackers": 2, "vmas": 4}, "--vmas"),
        ({"trackers": 2, "scanners": 2}, "--scanners"),
        ({"trackers": 2, "prior_percent": 10}, "--prior"),
        ({"trackers": 2, "external": 1}, "--targets 2"),
        ({"targets": 2}, "--external"),
        ({"targets": 2, "external": 1, "populated_percent": 50}, "--populated"),
        ({"targets": 2, "external": 1, "life": "idle"}, "--targets"),
        ({"paced": 2}, "--writers"),
        ({"budget": 3}, "--paced"),
        ({"paced": 1, "budget": 0}, "--budget"),
        ({"paced": 1, "external": 1}, "--paced"),
        ({"life": "idle", "bystanders": "mmap"}, "--bystanders"),
        ({"bystanders": "sleep"}, "mmap, fault"),
        ({"bystanders": "fault", "concurrent": 1}, "--concurrent"),
        ({"bystanders": "fault", "external": 1}, "smaps or pagemap"),
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


@pytest.mark.parametrize(
    "settings",
    [
        {"sharing": "shared", "writers": 2},
        {"sharing": "overlapping", "writers": 2},
        {"first": 1},
        {"workload": "hotset"},
    ],
    ids=str,
)
def test_concurrent_intervals_that_could_not_be_checked_are_refused(settings):
    name = settings.pop("workload", "random")
    with pytest.raises(BadInput):
        make_point(name, 64, 10, concurrent=1, **settings)


def test_sizes_in_names_are_in_the_largest_whole_unit():
    assert size(1536 << 20) == "1536MiB"
    assert size(100) == "100B"
    assert Point("random", 8, 10).changed == {}
