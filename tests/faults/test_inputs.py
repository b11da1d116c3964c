# SPDX-License-Identifier: GPL-2.0-only
"""Inputs that once gave a traceback, took for ever, or passed for something else: files, options, letters, caches."""

import gzip
import json
import lzma
import os
import shutil
import subprocess
import time

import pytest

from bench.plan.arches import ARCHES, USUAL
from bench.run import commands
from bench.store import export, log, verdicts
from bench.vm import cache, counting, symbols
from tests import synthetic
from tests.faults.support import survived
from tests.fuzz.commands import entry
from tests.store.test_verdicts import old
from tests.support import ROOT
from tests.vm.images import bzimage

SOON = 5.0  # seconds, on a busy machine
FEW = {"what": [("random", 8, 10.0)], "processes": 6, "rounds": 1}


def changed(path, change):
    """Write a file of JSON again, after a change of what it says."""
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def meaning(lab, change):
    """A result of the suite meaning as an earlier version wrote it."""
    lab.name().mkdir()
    old(lab.name())
    changed(lab.name() / verdicts.OLD, change)
    return lab.name()


def suite(lab, change):
    """A result of times as an earlier version wrote it."""
    folder = synthetic.result(lab.name(), **FEW)
    export.write_suite(folder)
    (folder / log.FILE).unlink()
    path = folder / export.FILE
    path.write_text(path.read_text().replace('"pagemap-bench 5"', '"pagemap-bench 3"'))
    changed(path, change)
    return folder


def records(lab, change):
    """A result of today, with changed lines in its log."""
    folder = synthetic.result(lab.name(), **FEW)
    lines = [json.loads(line) for line in (folder / log.FILE).read_text().splitlines()]
    change(lines)
    (folder / log.FILE).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder


def raw(name, data):
    """A result whose file has these bytes."""

    def make(lab):
        lab.name().mkdir()
        (lab.name() / name).write_bytes(data)
        return lab.name()

    return make


def special(name, make):
    """A result whose file is none."""

    def made(lab):
        lab.name().mkdir()
        make(lab.name() / name)
        return lab.name()

    return made


def first(data):
    return data["benchmarks"][0]["runs"][0]


DEEP = b'{"schema":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
BOMB = gzip.compress(b'{"type":"failed","boot":0,"job":"","why":""}\n' * 7_000_000, 9)
# What is wrong with a result, and what the error says of it.
FILES = {
    "meaning: a host without types": (
        lambda lab: meaning(lab, lambda data: data["host"].update(copy_page_ns="much")), "meaning.host.copy_page_ns"),
    "meaning: a host that is a list": (
        lambda lab: meaning(lab, lambda data: data.update(host=[])), "meaning.host is no"),
    "meaning: infinite": (
        lambda lab: meaning(lab, lambda data: data["host"].update(clock_ns=float("inf"))), "Infinity is no number"),
    "meaning: not a number": (
        lambda lab: meaning(lab, lambda data: data["host"].update(page_size=float("nan"))), "NaN is no number"),
    "meaning: no interfaces": (lambda lab: meaning(lab, lambda data: data.update(interfaces=[])), "meaning.interfaces"),
    "meaning: no plays": (
        lambda lab: meaning(lab, lambda data: data["verdicts"][0].update(runs=[])), "meaning.verdicts[0]"),
    "meaning: a count below nothing": (
        lambda lab: meaning(lab, lambda data: data["verdicts"][1]["runs"][0].update(extra=-1)), "meaning.verdicts[1]"),
    "meaning: deep": (raw("meaning.json", DEEP), "meaning.json"),
    "meaning: a name twice": (raw("meaning.json", b'{"host":{},"host":{}}'), "'host' is there twice"),
    "meaning: no UTF-8": (raw("meaning.json", b'{"a":"\xff"}'), "can't decode"),
    "suite: 20,000 characters in a name": (
        lambda lab: suite(lab, lambda data: data["metadata"].update(workload="w" * 20_000)), "suite.json"),
    "suite: a suite of 300 characters": (
        lambda lab: suite(lab, lambda data: data["metadata"].update(suite="s" * 300)), "300 characters"),
    "suite: a value of text": (
        lambda lab: suite(lab, lambda data: first(data)["values"].append("1")), "values[1] is '1'"),
    "suite: a list as metadatum": (
        lambda lab: suite(lab, lambda data: data["metadata"].update(kernel_release=[])), "kernel_release is a list"),
    "suite: 400 digits": (lambda lab: suite(lab, lambda data: first(data).update(values=[10**400])), "values[0]"),
    "suite: 5,000 digits": (raw("suite.json", b'{"version":' + b"9" * 5000 + b"}"), "suite.json"),
    "suite: NUL bytes": (raw("suite.json", bytes(1000)), "suite.json"),
    "suite: a bomb": (raw("suite.json.gz", gzip.compress(bytes(400 << 20), 9)), "more than 256 MiB"),
    "records: 400 digits": (
        lambda lab: records(lab, lambda lines: lines[1]["facts"].update(tsc_hz=10**400)),
        "line 2: machine.facts.tsc_hz"),
    "records: a machine of words": (
        lambda lab: records(lab, lambda lines: lines[1]["facts"].update(memory_bytes="8G")), "line 2: machine.facts"),
    "records: a kind of memory that is none": (
        lambda lab: records(lab, lambda lines: lines[2]["point"].update(kind="paper")), "line 3: timed.point"),
    "records: 20,000 characters in a name": (
        lambda lab: records(lab, lambda lines: lines[2]["point"].update(workload="w" * 20_000)), "line 3: timed.point"),
    "records: no values": (
        lambda lab: records(lab, lambda lines: lines[2]["series"][0]["values"].update(dirty=[])),
        "line 3: timed.series"),
    "records: odd lines": (raw("records.jsonl", b"\n"), "line 1: no JSON"),
    "records: a bomb": (raw("records.jsonl.gz", BOMB), "line"),
    "records: a line without an end": (raw("records.jsonl", b"x" * (17 << 20)), "more than 16 MiB"),
    "records: a mark of the byte order": (raw("records.jsonl", b"\xef\xbb\xbf{}\n"), "line 1: no JSON"),
    "records: cut off when packed": (raw("records.jsonl.gz", gzip.compress(b"{}\n" * 999)[:20]), "line 1"),
    "records: cut off when packed by xz": (raw("records.jsonl.xz", lzma.compress(b"{}\n" * 999)[:40]), "line 1"),
    "records: no xz": (raw("records.jsonl.xz", b"x"), "line 1"),
    "records: a pipe": (special("records.jsonl", os.mkfifo), "records.jsonl is no file"),
    "records: a folder": (special("records.jsonl", os.mkdir), "records.jsonl is no file"),
    "suite: a pipe": (special("suite.json", os.mkfifo), "it is no file"),
    "suite: a folder": (special("suite.json", os.mkdir), "it is no file"),
}  # fmt: skip


@pytest.fixture
def here(lab, monkeypatch):
    """Run the command line in this process, which takes no time to start; its results are the lab's."""
    monkeypatch.setattr(commands, "RESULTS", lab.results)

    def run(*words):
        status, out, err = entry(*map(str, words))
        return subprocess.CompletedProcess(words, status, out, err)

    return run


@pytest.mark.parametrize("what", FILES)
@pytest.mark.timeout(60)
def test_a_bad_result_is_refused_where_it_is_bad(lab, here, what):
    make, says = FILES[what]
    said = survived(here("report", make(lab)), 2, says, "hint: ")
    assert all(len(line) < 3000 for line in said.splitlines())


def unclosed(lab):
    return records(lab, lambda lines: lines[0].update(command="./bench.py run --append 'open"))


def climbing(lab):
    return records(lab, lambda lines: lines[0].update(suite="../../../../etc/passwd"))


def halves(lab):
    return records(lab, lambda lines: lines[1]["facts"].update(hostname="\ud800", cpu_model_name="\x1b[31mred\ud800"))


@pytest.mark.parametrize("make", [unclosed, climbing, halves])
def test_what_foreign_text_says_is_shown_and_not_obeyed(lab, here, make):
    done = here("report", make(lab), "--all")
    survived(done, 0)
    assert done.stdout.isascii()
    assert all(line.isprintable() for line in done.stdout.splitlines())


# Words, and what the error says.
OPTIONS = {
    "alpha nan": (["compare", "x", "y", "--alpha", "nan"], "'--alpha'"),
    "alpha infinite": (["compare", "x", "y", "--alpha", "inf"], "'--alpha'"),
    "no kernel": (["run", "--kernel", ""], "is a variable of a script not set?"),
    "no name": (["run", "--name", ""], "is a variable of a script not set?"),
    "no filter": (["compare", "x", "y", "--filter", " "], "is a variable of a script not set?"),
    "no result": (["report", ""], "is a variable of a script not set?"),
    "no pages": (["run", "--pages", ""], "is a variable of a script not set?"),
    "no image": (["matrix", "--kernel", "base="], "NAME=IMAGE"),
    "pages in percent": (["run", "--pages", "5%"], "'5%' is not a list of numbers"),
    "percent in K": (["run", "--dirty", "5K"], "'5K' is not a list of percentages"),
    "percent of other digits": (["run", "--dirty", "\u0661"], "is not a list of percentages"),
    "processes of other digits": (["run", "--processes", "\uff11"], "is not a whole number"),
    "percent with an underscore": (["run", "--dirty", "1_0"], "is not a list of percentages"),
    "a million points": (["run", "--pages", ",".join(map(str, range(1, 1001))),
                          "--dirty", ",".join(map(str, range(1, 99)))], "98000 points"),
    "ten thousand values": (["run", "--pages", ",".join(["1"] * 10_000)], "1000 are the most"),
    "a new line in a name": (["run", "--name", "a\nb"], "a character that can't be shown"),
    "an escape in a name": (["run", "--name", "\x1b[31m"], "a character that can't be shown"),
    "a name of other bytes": (["run", "--name", b"\xff"], "or is not UTF-8"),
    "a name of 300 bytes": (["run", "--where", "here", "--name", "n" * 300], "at most 200"),
    "a name like an option": (["run", "--where", "here", "--name", "-x"], "begins like an option"),
    "a name that leads up": (["run", "--where", "here", "--name", ".."], "no name for a result"),
    "a text of 100,000": (["run", "--append", "a" * 100_000], "4096 are the most"),
}  # fmt: skip


@pytest.mark.parametrize("what", OPTIONS)
def test_an_option_that_can_not_be_is_refused(here, what):
    words, says = OPTIONS[what]
    said = survived(here(*map(os.fsdecode, words)), 2, says)
    assert "hint: " in said
    assert max(map(len, said.splitlines())) < 400


LETTERS = {
    "50,000 short paragraphs": b"A (1):\n  x\n\n" * 50_000,
    "a line of a million": b"x" * 1_000_000,
    "no last end": b"Subject: x\n\ntext",
    "ends of DOS": b"Subject: x\r\n\r\n" + b"short\r\n\r\n" * 50_000,
    "other bytes": b"Subject: \xff\xfe\n\ntext\n",
    "many letters": b"From 0123 Mon Sep 17 00:00:00 2001\nSubject: x\n\ntext\n-- \n2.39\n\n" * 1000,
}


@pytest.mark.parametrize("what", LETTERS)
@pytest.mark.timeout(60)
def test_a_long_or_odd_letter_gets_its_block_soon(lab, here, what):
    letter = lab.folder / "letter"
    letter.write_bytes(LETTERS[what])
    words = ("cover-letter", synthetic.result(lab.name(), **FEW), "--into", letter)
    start = time.monotonic()
    survived(here(*words), 0, "results put in")
    assert time.monotonic() - start < SOON
    once = letter.read_bytes()
    assert once.count(b"Benchmark results") == 1
    survived(here(*words), 0, "has these results already")
    assert letter.read_bytes() == once


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"a\0b", "is not a text file"), (b"a line\n" * (3 << 20), "more than 16 MiB"), (None, "is not a file")],
)
def test_what_is_no_letter_stays_as_it_is(lab, here, data, says):
    letter = lab.folder / "letter"
    letter.write_bytes(data) if data else os.mkfifo(letter)
    done = here("cover-letter", synthetic.result(lab.name(), **FEW), "--into", letter)
    survived(done, 2, says, "hint: ")
    assert not data or letter.read_bytes() == data


@pytest.fixture
def kernels(lab, monkeypatch):
    """An empty cache, its folder of kernels, and no way to a mirror."""
    place = lab.folder / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    monkeypatch.setenv("BENCH_DEBIAN_MIRROR", f"file://{lab.folder}/none")
    lab.env |= {"XDG_CACHE_HOME": str(place)}
    return cache.folder("kernels")


DAMAGES = {
    "cut off": bzimage(payload=b"x" * 4000)[:-1000],
    "foreign": b"#!/bin/sh\n",
    "empty": b"",
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_kernel_in_the_cache_is_named_and_fetched_again(here, kernels, what):
    image = kernels / "vmlinuz-6.12.3"
    image.write_bytes(DAMAGES[what])
    done = here("config", "--kernel", "debian:6.12")
    assert f"{image} is " in done.stderr
    assert "removed from the cache" in done.stderr
    assert not image.exists()
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error: ") == 1


def test_a_folder_in_the_place_of_a_cached_kernel_is_named(here, kernels):
    (kernels / "vmlinuz-6.12.3").mkdir()
    done = here("config", "--kernel", "debian:6.12")
    survived(done, 2, "vmlinuz-6.12.3 is no file", f"hint: remove {kernels / 'vmlinuz-6.12.3'}")


def test_python_for_guests_that_was_cut_off_in_the_cache_is_made_again(lab, kernels):
    words = lab.qemu("begin(); work(); end()")
    survived(lab.bench(*words), 0)
    (base,) = (kernels.parent / "initramfs").glob("base-*.cpio")
    size = base.stat().st_size
    os.truncate(base, size // 2)
    shutil.rmtree(lab.name())
    survived(lab.bench(*words), 0)
    assert base.stat().st_size == size


def test_a_library_or_list_that_was_cut_off_in_the_cache_is_removed(tmp_path):
    core = next((ROOT / "bench/core").glob("_core*.so")).read_bytes()
    functions = "".join(f"ffffffff81000000 {name}\n" for name in ARCHES[USUAL].symbols).encode()
    kept = tmp_path / "kept"
    for whole, data in ((counting._whole, core), (symbols._whole, functions)):
        for bad in (data[:-1], data[: len(data) // 2], b"", b"#!/bin/sh\n"):
            kept.write_bytes(bad)
            assert not cache.usable(kept, whole)
            assert not kept.exists()
        kept.write_bytes(data)
        assert cache.usable(kept, whole)
        assert kept.exists()


def test_a_trial_of_kvm_that_was_killed_is_no_verdict(tmp_path, monkeypatch):
    from bench.vm import qemu

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    image = tmp_path / "bzImage"
    image.write_bytes(bzimage())
    came = []
    monkeypatch.setattr(qemu, "_kvm_refused", lambda: "")
    monkeypatch.setattr(qemu, "_trial", lambda *_: came.append(1) or "in a trial boot QEMU ended with status -9")
    for _ in range(2):
        assert "status -9" in qemu._kvm_trouble(image, [], lambda _: None)
    assert len(came) == 2
    monkeypatch.setattr(qemu, "_trial", lambda *_: came.append(1) or "it crawls")
    for _ in range(2):
        assert qemu._kvm_trouble(image, [], lambda _: None) == "it crawls"
    assert len(came) == 3
    qemu._verdict(image).write_text("")  # as a full disk would leave it
    assert qemu._kvm_trouble(image, [], lambda _: None) == "it crawls"
    assert len(came) == 4
