# SPDX-License-Identifier: GPL-2.0-only
"""The command line in this process, on results that are small, odd, or both; nothing is measured, booted or drawn."""

import contextlib
import io
import json
import os
import sys
import zlib
from pathlib import Path
from unittest import mock

import click
from hypothesis import strategies as st
from pyperf._metadata import METADATA

from bench.plan import catalogue, records, suites
from bench.plan.interfaces import INTERFACES
from bench.plan.kinds import KINDS, POPULATE
from bench.plan.records import Timed
from bench.run import main, tell
from bench.store import export, frames, log, verdicts
from tests import synthetic
from tests.fuzz import mutate
from tests.fuzz.running import Target
from tests.store.test_verdicts import old as older
from tests.vm import images

NAMES = ["log", "drawn", "suite", "meaning", "options", "reading"]
STATUSES = {0, 1, 2, 3, 125, 255}
STUBBED = (
    "run",
    "matrix",
    "history",
    "bisect",
    "clean",
    "probe",
    "list",
)  # of these only the options are read, or settled
USUAL = ["example", "exact", "played", "base/new", "quick", "random", "all", "scan-wp", "clear_refs", "none", "1", "10",
         "1,10", "100%", "5%", "1%", "16K", "64KiB", "2G", "anon", "anon-thp", "shared", "debian:6.12", "bzImage", "+1",
         "3-5", "collect", "kvm", "here", "vm", "text", "csv", "html", "ktap", "tap", "kcidb", "json", "*", "random*",
         "letter"]  # fmt: skip


def entry(*words):
    """Run the command line here; return its status and what it said, as it would be written."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors=errors) for errors in ("strict", "backslashreplace"))
    tell.choose(tell.Style())  # of one command before
    argv = mock.patch.object(sys, "argv", ["./bench.py", *words])
    with argv, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main.entry()
        except SystemExit as done:
            status = done.code
    said = []
    for stream in (out, err):
        stream.flush()
        said.append(stream.buffer.getvalue().decode())
    return status, *said


def checked(*words):
    """Whether a command was accepted: an error is one line with a hint, and nothing it prints moves the cursor."""
    status, out, err = entry(*words)
    assert status in STATUSES, (status, err)
    assert "Traceback" not in err, err
    assert "fault of this suite" not in err, err
    errors = [line for line in err.splitlines() if line.startswith(("error: ", '{"event": "error"'))]
    help_ = err.startswith("Usage: ")  # without a command
    assert help_ or len(errors) == (status != 0), (status, err)
    assert not errors or "\nhint: " in err or '"hint": "' in err, err
    for text in (out, err):
        bad = [one for one in text if not one.isprintable() and one not in "\n\t"]
        assert not bad, (bad[:5], text[:2000])
    return status in (0, 1)


def trimmed(lines, points=1, processes=6):
    """Records of a log of fewer points, so that a report takes no time."""
    plan = lines[0]._replace(points=lines[0].points[:points])
    kept = [one for one in lines[1:] if not isinstance(one, Timed) or one.point in plan.points]
    return [plan, *kept][: 4 + points * processes]


def results(folder):
    """Small results to read: times, exact counts, verdicts, older formats."""
    few = {"what": [("random", 8, 10.0), ("all", 8, 100.0)], "processes": 6, "rounds": 1}
    few |= {name: "x" if str in one.types else 1 for name, one in METADATA.items()}  # facts that pyperf checks
    synthetic.result(folder / "example", **few)
    synthetic.result(folder / "base/new", **few, factor={"scan-wp": 1.5}, luck=8)
    exact = {"exact": synthetic.FUNCTIONS, "where": synthetic.COUNTED, "boots": 3}
    synthetic.result(folder / "exact", **few | {"processes": 3}, **exact)
    synthetic.played(folder / "played")
    export.write_suite(folder / "example")
    suite = (folder / "example" / export.FILE).read_text().replace('"pagemap-bench 5"', '"pagemap-bench 3"')
    (folder / "meant").mkdir()
    older(folder / "meant")
    meaning = json.loads((folder / "meant" / verdicts.OLD).read_text())
    return json.loads(suite), meaning


def of_log(random, logs):
    """A log with records changed, left out, doubled or moved."""
    lines = list(random.choice(logs))
    for _ in range(random.choice((1, 1, 2))):
        at = random.randrange(len(lines))
        match random.randrange(10):
            case 0:
                del lines[at]
            case 1:
                lines.insert(random.randrange(len(lines)), lines[at])
            case 2:
                lines[at] = mutate.of_bytes(random, lines[at])
            case _:
                with contextlib.suppress(ValueError, RecursionError):  # of one that was changed before
                    lines[at] = mutate.dumped(random, mutate.of_tree(random, json.loads(lines[at])))
        if not lines:
            break
    return b"\n".join(lines) + b"\n" * (random.random() < 0.9)


def of_json(random, tree):
    """A file of JSON with changed nodes, or with changed bytes."""
    changed = mutate.dumped(random, mutate.of_tree(random, tree) if random.random() < 0.85 else tree)
    return mutate.of_bytes(random, changed) if random.random() < 0.15 else changed


READERS = [["report", "x", "--all"], ["report", "x"], ["report", "x", "--format", "csv"],
           ["report", "x", "--format", "html"],
           ["cover-letter", "x"], ["compare", "example", "x"], ["compare", "x", "example", "--format", "json"],
           ["compare", "x", "base/new", "--fail-on", "3%", "--format", "markdown"], ["functions", "x"],
           ["functions", "exact", "x"], ["merge", "example", "x", "--name", "merged"], ["report", "x", "played"],
           ["report", "x", "--format", "ktap"], ["report", "x", "--format", "tap", "--baseline", "played"],
           ["report", "x", "--format", "kcidb"], ["compare", "played", "x", "--fail-on", "1%"]]  # fmt: skip


DRAWN = [["report", "x"], ["compare", "example", "x", "--name", "drawn"], ["report", "x", "--format", "html"]]


def seldom(data):
    """Whether a command is to say itself what it thinks of a file that is refused."""
    return zlib.crc32(data) % 20 == 0


def file_target(name, folder, file, make, commands):
    """A target that writes a file of a result, loads it, and has one of the commands read what was not refused."""
    place = folder / "results/x" / file

    def take(made):
        data, words = made
        for path in place.parent.iterdir():
            path.unlink()
        place.write_bytes(data)
        if seldom(data):
            return checked(*words)
        (verdicts.load if verdicts.holds(place.parent) else frames.load)(place.parent)
        try:
            return checked(*words)
        finally:
            for path in (folder / "results/merged").glob("*"):
                path.unlink()

    return Target(name, lambda random: (make(random), random.choice(commands)), take, seconds=20, weight=6)


def vocabulary():
    """Words that options may be given, sensible and not; none leads out of the lab."""
    odd = st.sampled_from([one for one in mutate.WORDS if "\0" not in one]) | st.text(max_size=8)
    some = st.sampled_from(USUAL) | odd | st.integers().map(str) | st.floats().map(str)
    joined = st.lists(some, min_size=2, max_size=3).map(",".join)
    plain = (some | joined).map(lambda text: text.replace("\0", "0").lstrip("/").replace("..", "xx"))
    return plain.map(lambda text: text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape"))


def sensible(param):
    """Values that a parameter takes, as far as its type tells."""
    kind = param.type
    if isinstance(kind, click.Choice):
        return st.sampled_from(list(kind.choices))
    if isinstance(kind, click.IntRange):
        return st.integers(kind.min, kind.max).map(str)
    known = {"--suite": suites.SUITES.keys() | {"meaning"}, "--workload": catalogue.workloads(),
             "--name": ["new", "./n"],
             "--interface": INTERFACES, "--kind": KINDS, "--populate": POPULATE, "--sharing": ["shared"],
             "--masks": ["extra"], "--then": ["copy"], "--life": ["busy"], "--bystanders": ["mmap"],
    "--memory": ["2G"], "--boots": ["5", "+1", "3-5"], "--filter": ["*", "random*"],
             "--kernel": ["bzImage", "debian:6.12", "a=bzImage"], "--into": ["letter"], "--alpha": ["0.01"],
             "--resume": ["example"], "--vmlinux": ["bzImage"], "--append": ["quiet"], "--directory": ["."],
             "--qemu-arg": ["-device x", "'"], "--fail-on": ["1%"], "--until": ["1%"]}  # fmt: skip
    return st.sampled_from(sorted(known.get(param.opts[-1], ["1", "0", "10,20", "512", "50%", "4K"])))


def _flat(parts):
    return [word for part in parts for word in part]


def lines_of_words(names):
    """Command lines of these commands: each option may be there, with whatever value."""
    words = vocabulary()
    lines = []
    for name in names:
        command = main.main.commands[name]
        options = []
        for param in command.params:
            if isinstance(param, click.Option):
                some = sensible(param) | sensible(param) | sensible(param) | words
                value = st.just([]) if param.is_flag else some.map(lambda one: [one])
                options.append(st.tuples(st.just(param.opts[-1]), value).map(lambda pair: [pair[0], *pair[1]]))
        some = st.lists(st.one_of(options), max_size=4).map(_flat) if options else st.just([])
        takes = any(isinstance(param, click.Argument) for param in command.params)
        name_ = st.sampled_from(USUAL[:4]) | st.sampled_from(USUAL[:4]) | words
        free = st.lists(name_, min_size=int(takes), max_size=3) if takes else st.just([])
        lines.append(st.tuples(st.just([name]), free, some).map(_flat))
    return st.one_of(lines)


@contextlib.contextmanager
def lab(folder: Path):
    """The targets of this file, in a folder; what would measure, boot or draw is left out."""
    from bench.run import bisecting, commands, matrix, measuring, probing, settle
    from bench.vm import kernel, qemu
    from plots import drawing

    kept = folder / "results"
    inside = folder / "a/b/c"
    (kept / "x").mkdir(parents=True)
    inside.mkdir(parents=True)
    (inside / "bzImage").write_bytes(images.bzimage())
    (inside / "letter").write_text("Subject: [PATCH] x\n\ntext\n")
    suite, meaning = results(kept)
    draw = drawing.every
    logs = [[records.encode(one).encode() for one in trimmed(log.read(kept / name / log.FILE)[0])]
            for name in ("example", "exact", "played", "base/new")]  # fmt: skip
    image = kernel.Image(inside / "bzImage", "bzImage", "", {}, (0, 0))

    def settled(request):
        settle.settle(request, lambda _: None, lambda _: None)

    with contextlib.ExitStack() as stack:
        for holder, name, value in (
            (commands, "RESULTS", kept),
            (commands, "probe", lambda _: None),
            (probing, "probe", lambda *_: None),
            (commands, "list_everything", lambda: None),
            (measuring, "run", settled),
            (matrix, "run", lambda wanted: settled(wanted.request)),
            (bisecting, "bisect", lambda *_: None),
            (settle, "free_memory", lambda: 8 << 30),
            (settle, "_first_with_both", lambda _: "vm"),
            (kernel, "debian_kernels", lambda _: []),
            (kernel, "find", lambda *_, **__: image),
            (qemu, "accelerator", lambda *_, **__: qemu._ACCELERATORS["icount"]),
            (drawing, "every", lambda *_: ([], [], {})),
        ):
            stack.enter_context(mock.patch.object(holder, name, value))
        stack.enter_context(mock.patch.dict(os.environ, {"XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "100"}))
        stack.enter_context(contextlib.chdir(inside))
        readers = [name for name in main.main.commands if name not in STUBBED]

        def take_words(words):
            return checked(*words)

        logged = file_target("log", folder, log.FILE, lambda random: of_log(random, logs), READERS)

        def take_and_draw(made):
            with mock.patch.object(drawing, "every", draw):
                return logged.take(made)

        def of_drawn(random):
            return of_log(random, logs), random.choice(DRAWN)

        measures = lines_of_words(["run", "matrix", "history", "bisect"])
        yield [
            logged,
            Target("drawn", of_drawn, take_and_draw, seconds=30, weight=2),
            file_target("suite", folder, export.FILE, lambda random: of_json(random, suite), READERS),
            file_target("meaning", folder, verdicts.OLD, lambda random: of_json(random, meaning), READERS),
            Target("options", None, take_words, seconds=10, weight=3, words=measures),
            Target("reading", None, take_words, seconds=20, weight=3, words=lines_of_words(readers)),
        ]
