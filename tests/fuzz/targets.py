# SPDX-License-Identifier: GPL-2.0-only
"""What is given odd inputs: everything that reads what somebody else wrote, and the command line."""

import contextlib
import gzip
import json
import lzma
import os

from bench.harmless import harmless
from bench.plan import expected, kconfig, kernel_log, records
from bench.plan.arches import ARCHES, USUAL
from bench.plan.plan import Play, Timing
from bench.plan.records import Failed, Machine, Messages, Plan, Played, Timed
from bench.report import letters
from bench.store import log, published
from bench.vm import bzimage, cpio, init, symbols
from tests.fuzz import commands, mutate
from tests.fuzz.running import Target
from tests.support import ROOT
from tests.vm import images

EXAMPLES = ROOT / "results"
TIMED, MEANING = EXAMPLES / "example-matrix/base", EXAMPLES / "example-meaning-6.1"


def lines_of(folder):
    """The records of an example, as it is packed; of points the first two."""
    found = log.read(log.find(folder))[0]
    plan = found[0]
    kept = [one for one in found[1:] if not isinstance(one, Timed) or one.point in plan.points[:2]]
    return [plan._replace(points=plan.points[:2]), *kept]


def of_records(random, lines):
    """One record or job, with changed nodes or bytes."""
    line = random.choice(lines)
    if random.random() < 0.3:
        return mutate.of_bytes(random, line).decode(errors="surrogateescape")
    return mutate.dumped(random, mutate.of_tree(random, json.loads(line))).decode(errors="surrogateescape")


def take_record(line):
    """What is accepted is written and read as the same again."""
    decode = records.decode_job if '"play"' in line[:40] or '"timing"' in line[:40] else records.decode
    found = decode(line)
    assert decode(records.encode(found)) == found
    return True


def record_lines():
    """One of each kind, as a log has it; the largest are cut short."""
    found = lines_of(TIMED) + lines_of(MEANING)
    kinds = [next(one for one in found if isinstance(one, kind)) for kind in (Plan, Machine, Timed, Played)]
    timed = kinds[2]
    first = [one._replace(functions={}, foreign={}) for one in timed.series[:2]]
    kinds[2] = timed._replace(series=first)
    more = [Failed(0, "a job", "why"), Messages(0, {"WARNING": 1}, ["[ 1.0] WARNING: x"]), timed]
    jobs = [Timing(timed.point, 3), Play("plain", "scan-wp", 100)]
    return [records.encode(one).encode() for one in (*kinds, *more, *jobs)]


def guests():
    """What honest guests answer: lines, with the plan, the job and the machine that they are held against."""
    found = []
    for folder in (TIMED, MEANING):
        plan, *rest = lines_of(folder)
        first = next(one for one in rest if isinstance(one, Machine))
        first = first._replace(quantity=records.TIME)
        found.append((records.encode(first), plan, None, first))
        jobs = {job.key: job for job in plan.jobs(0)}
        answers = [one for one in rest if isinstance(one, Timed | Played) and one.key in jobs][:3]
        found += [(records.encode(_uncounted(one)), plan, jobs[one.key], first) for one in answers]
    return found


def _uncounted(one):
    """Times as a guest tells them: what is counted by function, the host counts."""
    if isinstance(one, Played):
        return one
    return one._replace(series=[some._replace(counters={}, functions={}, foreign={}) for some in one.series])


def make_answer(random, honest):
    line, *held = random.choice(honest)
    return mutate.dumped(random, mutate.of_tree(random, json.loads(line))).decode(errors="surrogateescape"), *held


def take_answer(made):
    line, plan, job, first = made
    found = records.decode(line)
    return not (expected.answer(found, job, plan, first) if job else expected.machine(found, plan, first.boot))


def make_frames(random):
    """Records of a guest, some of them damaged, in pieces as they come."""
    stream, checksum = init.frame(b"H6.12", 0)  # what comes before a hello is noise
    for _ in range(random.randrange(1, 6)):
        payload = random.choice((b"H6.12", b"L{}", b"E0", b"L" + random.randbytes(20).replace(b"\n", b""), b""))
        framed, checksum = init.frame(payload, checksum)
        stream += framed
    if random.random() < 0.9:
        stream = mutate.of_bytes(random, stream)
    cuts = sorted(random.randrange(len(stream) + 1) for _ in range(3))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def take_frames(pieces):
    taking = init.Records()
    try:
        for piece in pieces:
            for _ in taking.feed(piece):
                pass
    except ValueError:  # what it raises for what was not sent so
        return False
    return True


def make_archive(random):
    names = [os.fsdecode(mutate.of_bytes(random, b"/lib/python3/a.py")[:4000]) for _ in range(3)]
    return {name.replace("\0", "0").lstrip("/") or "x": random.randbytes(random.randrange(9)) for name in names}


def take_archive(files):
    """Every file is found in the archive again, by name and content."""
    packed = cpio.pack({name: cpio.file(content) for name, content in files.items()})
    found, at = {}, 0
    while at < len(packed):
        fields = [int(packed[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        start = at + 110 + fields[11] + -(110 + fields[11]) % 4
        name = packed[at + 110 : at + 110 + fields[11] - 1]
        found[name], at = packed[start : start + fields[6]], start + fields[6] + -fields[6] % 4
    assert b"TRAILER!!!" in found
    assert all(found[os.fsencode(name)] == content for name, content in files.items())
    return True


CONFIG = "".join(f"CONFIG_{name}=y\n# CONFIG_{name}_X is not set\n" for name in ("KALLSYMS", "TMPFS", "PROC_FS")) * 4
CONFIG += 'CONFIG_HZ=250\nCONFIG_LOCALVERSION="-x y"\nCONFIG_SERIAL_8250_NR_UARTS=4\n'


def image_seeds():
    inside = b"\x7fELF" + b"x" * 100 + b"IKCFG_ST" + gzip.compress(CONFIG.encode(), mtime=0) + b"IKCFG_ED"
    packed = (gzip.compress(inside, mtime=0), lzma.compress(inside), lzma.compress(inside, lzma.FORMAT_ALONE), inside)
    return [images.bzimage(payload=one) for one in packed]


def take_config(text):
    kconfig.lacking(text, (*kconfig.BOOT, *kconfig.MEMORY))
    return kconfig.chosen(text) != kconfig.UNKNOWN


SYMBOLS = "".join(f"{2**64 - 2**20 + 64 * i:016x} T {name}\n" for i, name in enumerate(sorted(ARCHES[USUAL].symbols)))
CONSOLE = """\
[    0.000000] Linux version 6.12
[    1.500000][   T12] WARNING: CPU: 0 PID: 12 at mm/memory.c:12 do_wp_page+0x1/0x2
[    2.5] BUG: KASAN: slab-out-of-bounds in f+0x1
[    3.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [python:1]
[    4.0] INFO: task x:1 blocked for more than 10 seconds.
[    5.0] rcu: INFO: rcu_sched detected stalls on CPUs/tasks:
"""
LETTER = """\
From 0123 Mon Sep 17 00:00:00 2001
From: A <a@b>
Subject: [PATCH 0/2] mm: *** SUBJECT HERE ***

*** BLURB HERE ***

Text of the letter.
\t more

A (2):
  mm: one
  mm: two

 mm/memory.c | 2 +-
 1 file changed

base-commit: 0123456789
--\x20
2.39
"""
BLOCK = letters.wrap("  A table | of numbers\n\n  Machine: one")


def take_letter(data):
    """What is put in twice is there once, and no other byte changes."""
    text = data.decode(errors="surrogateescape")
    once = letters.insert(text, BLOCK)
    assert letters.insert(once, BLOCK) == once
    return True


def text_target(name, seed, take, **more):
    """A target that takes text, made of a good one."""
    return Target(name, lambda random: mutate.of_text(random, seed), take, **more)


@contextlib.contextmanager
def lab(folder):
    """Every target, with what they need in a folder."""
    lines, pictures, honest = record_lines(), image_seeds(), guests()
    tables = [path.read_bytes() for path in sorted(published.FOLDER.glob("*.csv"))]
    image, table = folder / "bzImage", folder / "table.csv"

    def take_image(data):
        image.write_bytes(data)
        bzimage.check(image, "a hint")
        bzimage.release(image)
        return bool(bzimage.config(image))

    def take_table(data):
        table.write_bytes(data)
        return not published.read(table).frame.empty

    with commands.lab(folder) as of_commands:
        yield [
            Target("record", lambda random: of_records(random, lines), take_record, weight=2),
            Target("answer", lambda random: make_answer(random, honest), take_answer),
            Target("frames", make_frames, take_frames),
            Target("archive", make_archive, take_archive),
            Target("bzimage", lambda random: mutate.of_bytes(random, random.choice(pictures)), take_image),
            text_target("symbols", SYMBOLS, lambda text: bool(symbols.functions(text.splitlines()))),
            text_target("config", CONFIG, take_config),
            text_target("console", CONSOLE, lambda text: bool(kernel_log.scan(text.splitlines())[0])),
            text_target("harmless", "x" * 10 + CONSOLE, lambda text: harmless(text).isprintable() or 1 / 0),
            Target("letter", lambda random: mutate.of_bytes(random, LETTER.encode()), take_letter),
            Target("published", lambda random: mutate.of_bytes(random, random.choice(tables)), take_table),
            *of_commands,
        ]


NAMES = ["record", "answer", "frames", "archive", "bzimage", "symbols", "config", "console", "harmless", "letter",
         "published", *commands.NAMES]  # fmt: skip
