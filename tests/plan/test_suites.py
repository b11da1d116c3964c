# SPDX-License-Identifier: GPL-2.0-only
"""The suites: what each promises."""

from bench.plan import suites
from bench.plan.bystanders import BYSTANDERS
from bench.plan.grids import make_point
from bench.plan.kinds import KINDS

MIB = 1 << 20


def test_every_suite_that_was_promised_is_there_with_its_source():
    names = {"quick", "lkml-2022", "density", "scale", "who-pays", "getwritewatch", "predump", "kinds", "writers"}
    names |= {"buffers", "surroundings", "arm", "callers", "slots", "scaling", "bystanders", "batching", "instead"}
    names |= {"accessed", "life", "history"}
    assert names == set(suites.SUITES)
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
    assert axis("kinds", "kind") | axis("batching", "kind") == set(KINDS)
    assert axis("instead", "then") == {"copy", "wipe"}
    assert {"anon", "anon-16k", "anon-1m", "anon-thp-ptes"} <= axis("batching", "kind")
    assert axis("writers", "writers") >= {1, 2, 4}
    assert axis("writers", "concurrent") == {0, 1}
    assert axis("buffers", "vec_len") == {0, 1, 32, 64, 512}
    assert axis("buffers", "read_bytes") >= {0, 65536, 2 * MIB}
    assert max(axis("arm", "pages")) * 4096 == 10 << 30
    assert len(axis("arm", "populate")) == 4
    assert axis("arm", "kind") == {"anon", "anon-thp"}
    assert axis("callers", "scanners") >= {1, 4, 20}
    assert axis("callers", "every_us") == {0, 1000, 3000}
    assert (2 << 30) // 4096 in axis("callers", "pages")
    assert axis("bystanders", "bystanders") == set(BYSTANDERS)
    assert axis("bystanders", "pages") == {MIB // 1024, 16 * MIB // 1024, 256 * MIB // 1024}
    assert min(axis("getwritewatch", "watch_percent")) < 1
    assert axis("accessed", "read_percent") == {0, 50, 100}
    assert axis("accessed", "kind") == {"anon", "anon-thp", "shmem", "shmem-thp"}
