# SPDX-License-Identifier: GPL-2.0-only
"""The options of `run`, and how a request is settled into a plan that its own command line repeats."""

import os
import re
import shlex
import string

import click
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from bench.errors import BadInput
from bench.measure import probe
from bench.plan import catalogue, grids, plan, suites
from bench.plan.arches import ARCHES
from bench.plan.bystanders import BYSTANDERS
from bench.plan.interfaces import INTERFACES, LEGACY, TRACKERS, UNTRACKED, WRITTEN, Reason
from bench.plan.kinds import KINDS, POPULATE
from bench.plan.settings import SETTINGS
from bench.run import options, request, settle
from bench.run.main import main, run
from bench.run.request import BOOTS, COUNTED_BOOTS, NEEDS, OPTIONS, Request
from bench.stats import samples
from tests.support import bench, refused

GIB = 1 << 30


def requested(words):
    """The request of these words after `run`."""
    return Request.typed(run.make_context("run", list(words), **main.context_settings).params)


def planned(words, *, free=16 * GIB, counted=False, both=True):
    """The plan of these words on an invented machine, and what was said."""
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settle, "free_memory", lambda: free)
        patch.setattr(settle, "_counted", lambda request, echo: counted)
        why = Reason("it has none", "")
        patch.setattr(probe, "probe", lambda row: probe.Probed(None if both or row.name == LEGACY else why))
        return settle.settle(requested(words), said.append, said.append), said


def repeated(plan, **machine):
    """The plan of the line that repeats a plan."""
    program, command, *words = shlex.split(plan.command)
    assert (program, command) == ("./bench.py", "run")
    return planned(words, **machine)[0]


def lists(values, most=2):
    return st.lists(values, min_size=1, max_size=most).map(lambda texts: ",".join(map(str, texts)))


def spelled(number):
    """A number in one of the ways it can be typed."""
    ways = [str(number), f"{number:_}"]
    for shift, letter in ((10, "K"), (20, "M"), (30, "G")):
        if number and not number % (1 << shift):
            ways += [f"{number >> shift}{letter}", f"{number >> shift}{letter.lower()}i"]
    return st.sampled_from(ways)


percents = st.floats(0, 100).flatmap(lambda one: st.sampled_from([f"{one!r}", f"{one!r}%", f"{one:g}"]))
some_percent = st.floats(0.001, 100).map(repr)
pages = st.sampled_from([1, 100, 512, 1024, 16384, 65536]).flatmap(spelled)
flag = st.none()
glob = st.sampled_from(["*", "*a*", "random*", "-*", "merge*", "* dirty=1*", "it's", "$HOME"])
TYPED = {
    "--suite": st.sampled_from([*suites.SUITES, suites.MEANING.name]),
    "--workload": st.sampled_from(list(catalogue.workloads())),
    "--pages": lists(pages),
    "--dirty": lists(percents),
    "--interface": st.sampled_from(list(INTERFACES)),
    "--filter": glob,
    "--kind": lists(st.sampled_from(list(KINDS))),
    "--writers": lists(st.integers(1, 4)),
    "--sharing": lists(st.sampled_from(["disjoint", "shared", "overlapping"])),
    "--concurrent": flag,
    "--external": flag,
    "--vmas": lists(st.sampled_from([1, 2])),
    "--watch": lists(some_percent),
    "--populated": lists(some_percent),
    "--populate": lists(st.sampled_from(list(POPULATE))),
    "--first": flag,
    "--ballast": lists(st.sampled_from([0, 4096, 1 << 20, GIB]).flatmap(spelled)),
    "--vec-len": lists(st.integers(0, 1000)),
    "--max-pages": lists(st.integers(0, 1000)),
    "--read": lists(st.sampled_from([0, 8, 65536])),
    "--masks": lists(st.sampled_from(["fast", "extra"])),
    "--prior": lists(st.sampled_from([0, 10, 100])),
    "--scanners": lists(st.integers(1, 4)),
    "--reads": lists(percents),
    "--life": lists(st.sampled_from(["idle", "busy"])),
    "--paced": lists(st.integers(0, 2)),
    "--budget": lists(st.integers(1, 100)),
    "--period": lists(st.integers(1, 3000)),
    "--trackers": lists(st.integers(1, 4)),
    "--targets": lists(st.integers(1, 4)),
    "--every": lists(st.sampled_from([0, 100, 3000])),
    "--bystanders": lists(st.sampled_from(list(BYSTANDERS))),
    "--then": lists(st.sampled_from(["copy", "wipe"])),
    "--directory": st.just("/dev/shm"),
    "--processes": st.integers(1, 30),
    "--values": st.integers(1, 1000),
    "--boots": st.integers(1, 30) | st.sampled_from(["3-5", "1-30", "2-2"]),
    "--quick": flag,
    "--rigorous": flag,
    "--until": st.sampled_from(["1", "1%", "0.5%", "12.5%", "0.333%"]),
    "--seed": st.integers(0, 2**32 - 1),
    "--where": st.sampled_from(["auto", "here", "vm"]),
    "--kernel": st.sampled_from(["debian:6.12", "a b/bzImage", "-image"]),
    "--arch": st.sampled_from(list(ARCHES)),
    "--accel": st.sampled_from(["auto", "kvm", "tcg", "icount"]),
    "--append": st.sampled_from(["mitigations=off", "a='b c' -d", "-quiet"]),
    "--memory": st.sampled_from(["600M", "1G", "2GiB", "1048576Ki"]),
    "--cpus": st.integers(1, 64),
    "--qemu-arg": st.sampled_from(["-device virtio-rng-pci", "-name 'a b'", "--enable-kvm"]),
    "--resume": st.text(string.ascii_letters, min_size=1),
    "--name": st.text(string.ascii_letters, min_size=1),
    "--format": st.sampled_from(["text", *options.FOR_CI]),
    "--force": flag,
    "--dry-run": flag,
    "--quiet": flag,
    "--verbose": flag,
    "--progress": st.sampled_from(["auto", "json", "none"]),
}


@st.composite
def lines(draw):
    """Words that may follow `run`."""
    words = []
    for name in draw(st.lists(st.sampled_from(list(TYPED)), max_size=6, unique=True)):
        value = draw(TYPED[name])
        words += [name] if value is None else [f"{name}={value}"]
    return words


def test_the_property_below_knows_every_option():
    assert set(TYPED) == {row.name for row in OPTIONS}


@settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(lines(), st.booleans(), st.booleans())
@example(["--suite=density", "--filter=*random*", "--where=vm", "--kernel=a b/bzImage"], True, False)
@example(["--max-pages=3,1", "--kind=shmem,anon", "--pages=16Ki", "--dirty=33.333333333,1%"], False, True)
@example(["--suite=meaning", "--values=3", "--interface=scan-wp", "--where=vm", "--accel=tcg"], False, True)
@example(["--where=vm", "--boots=30", "--seed=0"], False, True)
@example(["--where=vm", "--until=1%"], True, True)
@example(["--where=here", "--until=0.5", "--processes=30"], False, True)
@example(["--where=vm", "--rigorous", "--seed=1"], False, True)
@example(["--directory=/dev/shm", "--kind=file-shared", "--concurrent", "--writers=2"], True, True)
def test_the_recorded_command_settles_into_the_same_plan(words, counted, both):
    machine = {"counted": counted, "both": both}
    try:
        plan, _ = planned(words, **machine)
    except BadInput:
        assume(False)
    assert repeated(plan, **machine)._replace(date="") == plan._replace(date="")
    # what was decided is in the line: another machine does the same
    if plan.where == "vm" or "--where=here" in words or "--directory=/dev/shm" in words:
        other = {"counted": not counted, "both": not both}
        assert repeated(plan, **other)._replace(date="") == plan._replace(date="")


def test_the_order_of_typing_changes_nothing():
    one, other = (
        planned(words)[0] for words in (["--vmas=1,2", "--kind=anon,shmem"], ["--kind=anon,shmem", "--vmas=1,2"])
    )
    assert one._replace(date="") == other._replace(date="")
    assert len(one.points) == 4


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0), ("16384", 16384), ("10_000", 10_000), ("16Ki", 16384), ("16K", 16384), ("16ki", 16384),
        ("1M", 1 << 20), ("1Mi", 1 << 20), ("2G", 2 << 30), ("2Gi", 2 << 30), ("-5", -5),
    ],
)  # fmt: skip
def test_sizes_are_typed_the_same_way_everywhere(text, value):
    assert requested([f"--pages={text},1"]).pages == [value, 1]
    assert requested([f"--ballast={text},1"]).settings["ballast"] == [value, 1]
    assert requested([f"--vec-len={text}"]).settings["vec_len"] == [value]


def test_bytes_may_be_called_bytes_and_pages_not():
    assert requested(["--read=64KiB,8B"]).settings["read_bytes"] == [65536, 8]
    for text in ("64KiB", "8B"):
        with pytest.raises(click.UsageError):
            requested([f"--pages={text}"])


@pytest.mark.parametrize(
    "text", ["", "5%", "1.5", "_1", "1__0", "1_", "1T", "K", "Ki", "0x10", " 1", "1,", "1 K", "٣", "9" * 99]
)
def test_what_is_no_size_is_refused_everywhere(text):
    with pytest.raises(click.UsageError, match="is not a size in whole MiB"):
        requested([f"--memory={text}"])
    for option in ("--pages", "--ballast", "--writers", "--read", "--max-pages"):
        with pytest.raises(click.UsageError, match=r"is not a list of|it is empty"):
            requested([f"{option}={text}"])


@pytest.mark.parametrize("text", ["", "nan", "inf", "many", "1,,2", "5%%"])
def test_what_is_no_percentage_is_refused_everywhere(text):
    for option in ("--dirty", "--watch", "--populated"):
        with pytest.raises(click.UsageError, match=r"is not a list of percentages|it is empty"):
            requested([f"{option}={text}"])


@pytest.mark.parametrize("option", [row.name for row in OPTIONS if not row.flag])
def test_nothing_is_no_value(option):
    for text in ("", " "):
        with pytest.raises(click.UsageError) as error:
            requested([f"{option}={text}"])
        assert option in error.value.format_message()


def section(text, group):
    return text.split(f"\n{group}:\n")[1].split("\n\n")[0]


def test_help_has_each_option_once_in_its_group_and_percent_is_called_so():
    text = bench("run", "--help").stdout
    assert re.findall(r"^(\w[\w ]*):$", text, re.MULTILINE) == list(options.GROUPS)
    for row in OPTIONS:
        assert len(re.findall(rf"^  {row.name}\b", text, re.MULTILINE)) == 1
        assert re.search(rf"^  {row.name} ", section(text, row.group), re.MULTILINE)
        for default in [row.default] if row.default else []:
            assert f"[default: {default}" in " ".join(text.split())
    for option in ("--dirty", "--watch", "--populated"):
        assert f"  {option} PERCENT,..." in text
    assert {SETTINGS[key].group for key in SETTINGS} <= set(options.GROUPS)


@pytest.mark.parametrize("row", [row for row in OPTIONS if row.needs], ids=lambda row: row.name)
def test_an_option_without_its_need_is_refused_by_name(row):
    values = {"--kind": "shmem", "--sharing": "shared", "--populate": "read", "--masks": "extra", "--workload": "all"}
    values |= {"--directory": "/dev/shm", "--accel": "tcg", "--format": "ktap", "--kernel": "debian:6.12"}
    values |= {"--memory": "3G", "--arch": "arm64"}
    typed = [row.name] if row.flag else [f"{row.name}={values.get(row.name, 3)}"]
    without = {options.TIMINGS: ["--suite=meaning"], options.SCENARIOS: ["--suite=quick"]}
    without |= {options.GUEST: ["--where=here"], options.HERE: ["--where=vm"]}
    assert set(without) == set(NEEDS)
    for need in row.needs:
        with pytest.raises(BadInput, match=rf"^{row.name} ") as refusal:
            planned([*typed, *without[need]])
        assert refusal.value.hint


def test_a_neutral_value_is_no_contradiction():
    assert planned(["--where=here", "--boots=1", "--accel=auto"])[0].boots == 1
    assert planned(["--suite=meaning", "--where=here", "--processes=1", "--boots=1", "--seed=42"])[0].scenarios


def test_where_follows_from_what_only_one_place_can_do():
    assert planned(["--kernel=debian:6.12"])[0].where == "vm"
    assert planned(["--accel=icount"])[0].where == "vm"
    assert planned(["--directory=/dev/shm", "--kind=file-shared"], both=False)[0].where == "here"
    with pytest.raises(BadInput, match="no file system but tmpfs"):
        planned(["--directory=/dev/shm", "--kernel=debian:6.12"])


def test_auto_takes_the_running_kernel_if_it_has_both_and_says_why():
    here, said = planned([])
    assert (here.where, here.boots, here.kernel, here.accel) == ("here", 1, "", "")
    assert "scan-wp" in said[0]
    there, said = planned([], both=False)
    assert (there.where, there.kernel, there.accel) == ("vm", "debian:6.12", "auto")
    assert "scan-wp" in said[0]
    assert "it has none" in said[0]


def test_how_often_follows_from_the_suite_and_the_clock():
    quick = suites.SUITES["quick"]
    assert settle.defaults(quick, "here", counted=False) == (quick.processes, 1)
    assert settle.defaults(quick, "vm", counted=False) == (quick.processes, BOOTS)
    assert settle.defaults(quick, "vm", counted=True) == (COUNTED_BOOTS, COUNTED_BOOTS)
    assert settle.defaults(suites.SUITES["arm"], "vm", counted=False) == (6, 6)
    assert settle.defaults(suites.MEANING, "vm", counted=False) == (1, 1)
    for words, expected in (
        (["--processes=2"], (2, 2)),
        (["--boots=7"], (7, 7)),
        (["--processes=9", "--boots=3"], (9, 3)),
        ([], (COUNTED_BOOTS, COUNTED_BOOTS)),
    ):
        plan, _ = planned(["--where=vm", *words], counted=True)
        assert (plan.processes, plan.boots) == expected
    plan, _ = planned(["--where=vm", "--boots=30"])
    assert (plan.processes, plan.boots) == (30, 30)


@pytest.mark.parametrize(
    ("words", "counted", "processes", "boots"),
    [
        (["--where=here", "--quick"], False, 6, 1),
        (["--where=here", "--rigorous"], False, 44, 1),
        (["--where=here", "--until=1%"], False, 220, 1),
        (["--where=here", "--until=1%", "--processes=7"], False, 7, 1),
        (["--where=vm", "--quick"], False, 6, 6),
        (["--where=vm", "--rigorous"], False, 44, 22),
        (["--where=vm", "--until=1%"], False, 88, 44),
        (["--where=vm", "--until=1%", "--boots=8"], False, 88, 8),
        (["--where=vm", "--quick"], True, 3, 3),
        (["--where=vm", "--rigorous"], True, 10, 10),
        (["--where=vm", "--until=1%"], True, 5, 5),
    ],
)
def test_less_and_more_than_the_default_can_be_had_by_one_word(words, counted, processes, boots):
    plan, said = planned(words, counted=counted)
    assert (plan.processes, plan.boots, plan.least_boots) == (processes, boots, 0)
    assert any(f"{processes} processes of each point, not" in line for line in said) == ("--until" not in words[1])
    assert plan.until == (1.0 if "--until" in words[1] else 0.0)


def test_fewer_would_have_no_interval():
    assert request.QUICK == samples.ENOUGH
    assert request.LEAST_BOOTS == samples.EXACT_REPEATS
    for words, says in (
        (["--where=here", "--processes=5"], "takes 6 processes, and 5 are the most"),
        (["--where=vm", "--boots=5", "--accel=kvm"], "takes 6 boots, and 5 are the most"),
    ):
        with pytest.raises(BadInput, match=says):
            planned(["--until=1%", *words])


@pytest.mark.parametrize(
    "words",
    [
        ["--quick", "--processes=1"],
        ["--quick", "--boots=1"],
        ["--quick", "--until=1%"],
        ["--rigorous", "--processes=30"],
        ["--rigorous", "--boots=3-5"],
        ["--rigorous", "--quick"],
        ["--quiet", "--verbose"],
    ],
)
def test_two_words_for_one_thing_exclude_each_other(words):
    one, other = (word.partition("=")[0] for word in words)
    with pytest.raises(BadInput, match="exclude each other") as refusal:
        planned(words)
    assert one in str(refusal.value)
    assert other in str(refusal.value)
    with pytest.raises(BadInput, match="exclude each other"):
        requested(["--resume=x", *words]).refuse_beside_resume()


def test_until_and_a_range_of_boots_each_say_when_it_is_enough():
    with pytest.raises(BadInput, match="each say when boots are enough"):
        planned(["--until=1%", "--boots=3-5"])


@pytest.mark.parametrize("text", ["0", "0%", "51%", "-1", "nan", "1e-9", "much", "1%%"])
def test_what_is_no_precision_is_refused(text):
    with pytest.raises(click.UsageError, match="is not a percentage from"):
        requested([f"--until={text}"])


def test_what_memory_does_not_hold_is_left_out_of_suites_and_refused_of_numbers():
    plan, said = planned(["--suite=scale", "--where=here"], free=GIB)
    assert 0 < len(plan.points) < len(suites.SUITES["scale"].points)
    assert all(point.bytes_needed <= GIB // 2 for point in plan.points)
    assert f"{len(suites.SUITES['scale'].points) - len(plan.points)} of 12 points" in said[0]
    with pytest.raises(BadInput, match="MiB are free"):
        planned(["--pages=1Mi", "--where=here"], free=GIB)


def test_pages_of_another_size_leave_points_out_of_suites_and_are_refused_where_they_were_named(monkeypatch):
    plan, said = planned(["--suite=kinds", "--arch=arm64-16k"])
    assert {KINDS[point.kind].unit for point in plan.points} == {1}
    left = len(suites.SUITES["kinds"].points) - len(plan.points)
    assert any(f"{left} of {left + len(plan.points)} points left out: folios and huge pages" in one for one in said)
    with pytest.raises(BadInput, match="measured in pages of 4 KiB") as refusal:
        planned(["--kind=anon-thp", "--arch=arm64-16k"])
    assert "leave out --kind" in refusal.value.hint
    with pytest.raises(BadInput, match="measured in pages of 4 KiB") as refusal:
        planned(["--suite=kinds", "--filter=*anon-thp*", "--arch=arm64-16k"])
    assert "--kind" not in refusal.value.hint
    monkeypatch.setattr(settle, "PAGE_SIZE", 65536)  # a machine, not a guest, has the pages that it has
    assert {point.kind for point in planned(["--kind=anon-thp", "--where=here"])[0].points} == {"anon-thp"}


def test_of_larger_pages_only_what_is_counted_in_pages_takes_more_memory():
    words = ["--pages=1Ki", "--ballast=1G", "--accel=icount"]
    small, large = (planned([*words, f"--arch={name}"])[0] for name in ("arm64", "arm64-16k"))
    assert large.bytes_needed - small.bytes_needed == 1024 * (16384 - 4096)


def test_interfaces_stand_in_the_tables_order_with_the_baseline_where_there_are_times():
    assert planned(["--interface=scan-wp", "--interface=clear_refs"])[0].interfaces == (
        UNTRACKED,
        "clear_refs",
        "scan-wp",
    )
    assert planned(["--suite=lkml-2022"])[0].interfaces == tuple(
        name for name, row in INTERFACES.items() if row.prop == WRITTEN and not (row.path_of or row.instead)
    )
    assert planned([])[0].interfaces == (UNTRACKED, *suites.LEGACY_AND_IOCTL)
    drafts = tuple(name for name, row in INTERFACES.items() if row.draft)
    assert set(drafts) <= set(suites.LEGACY_AND_IOCTL), "a kernel that has them is recognised"
    assert planned([])[0].optional == planned(["--suite=meaning"])[0].optional == drafts
    assert planned([f"--interface={drafts[0]}"])[0].optional == (), "who asks for it is told where it is absent"
    meaning, _ = planned(["--suite=meaning", "--filter=p*"])
    assert meaning.interfaces == TRACKERS[WRITTEN]
    assert meaning.scenarios == tuple(name for name in catalogue.scenarios() if name.startswith("p"))
    assert (meaning.values, meaning.processes, meaning.boots) == (suites.MEANING.values, 1, 1)
    for suite in ("quick", "meaning"):
        with pytest.raises(BadInput, match="needs an interface that tracks"):
            planned([f"--suite={suite}", "--interface=none"])


def test_points_of_ones_own_are_no_suite():
    plan, _ = planned(["--suite=lkml-2022", "--writers=2"])
    assert plan.suite == "own"
    assert [point.name for point in plan.points] == ["random pages=10240 dirty=10% writers=2"]
    assert plan.command.startswith("./bench.py run --suite lkml-2022 --writers 2 ")


def test_a_directory_that_can_not_be_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.R_OK)  # root may write anywhere
    with pytest.raises(BadInput, match="no files can be made"):
        planned([f"--directory={tmp_path}"])


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "file").touch()
    assert "is a file" in refused("run", "--directory", tmp_path / "file")


def test_all_that_options_can_ask_for_is_a_plan():
    most = max([grids.MAX_POINTS, *(len(suite.points) for suite in suites.SUITES.values())])
    assert most * request.MOST_PROCESSES <= plan.MOST_JOBS
    assert options.MOST_BOOTS <= request.MOST_PROCESSES <= plan.MOST_PROCESSES
