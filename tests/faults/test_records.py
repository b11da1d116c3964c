# SPDX-License-Identifier: GPL-2.0-only
"""Guests that lie: each sends one record that no honest one sends. None is believed, and what was true stays."""

import pytest

from bench.plan import records
from bench.plan.records import Failed, Messages, Timed
from bench.store import frames, log
from tests import synthetic
from tests.faults.support import survived
from tests.texts import FEW

ESCAPES = "\x1b]0;title\x07\x1b[31mred\u202e\x9b2J"
_HEARD = "hello(); heard(); heard(); "
_MACHINE = 'machine = {"type": "machine", "boot": 0, "facts": {"kernel_release": "6.12-fake"}, "unavailable": {}}; '
_JSON = "import json; "

# What the guest sends instead of what it is, and what the error says of it
FIRST = {
    "an empty line": ("line('')", "no JSON"),
    "null": ("line('null')", "no record"),
    "an empty object": ("line('{}')", "no record"),
    "deep nesting": ("line('[' * 100_000)", "no JSON"),
    "a number of 5,000 digits": ("line('{\"type\": \"machine\", \"boot\": ' + '9' * 5000 + '}')", "no JSON"),
    "bytes that are no text": ("line(bytes(range(128, 256)))", "no JSON"),
    "a text of 20 MB": ("line('\"' + 'x' * 20_000_000)", "the guest"),
    "the plan": ("from bench.plan import records; line(records.encode(plan))", "a plan before the machine said"),
    "times": (
        "from bench.plan.plan import Timing; answer(Timing(plan.points[0], 0))",
        "times of random pages=64 dirty=10%, process 0 before the machine said what it is",
    ),
    "what another boot is": ("machine['boot'] = 7; line(json.dumps(machine))", "it calls itself boot 7"),
    "a name twice": ("line(json.dumps(machine)[:-1] + ', \"boot\": 0}')", "'boot' is there twice"),
    "a fact of 10 MB": ("machine['facts']['cmdline'] = 'x' * 10_000_000; line(json.dumps(machine))", "characters"),
    "2,000 facts": (
        "machine['facts'] |= dict.fromkeys(map(str, range(2000)), 1); line(json.dumps(machine))",
        "2001 facts",
    ),
    "memory below nothing": ("machine['facts']['memory_bytes'] = -1; line(json.dumps(machine))", "memory_bytes is -1"),
    "a reason for what nobody asked": (
        "machine['unavailable'] = {'v7': dict(why='x', remedy='y')}; line(json.dumps(machine))",
        "'v7'",
    ),
    "a quantity of its own": ("machine['quantity'] = 'instructions'; line(json.dumps(machine))", "instructions"),
}


@pytest.mark.parametrize("what", FIRST)
def test_instead_of_what_it_is_a_guest_sends(lab, what):
    script, says = FIRST[what]
    if "plan" in script or "answer" in script:
        script = (
            f"from bench.plan import records; hello(); plan = records.decode(heard()); boot = int(heard()); {script}"
        )
    else:
        script = f"{_JSON}{_MACHINE}{_HEARD}{script}"
    survived(lab.bench(*lab.qemu(f"{script}\nheard()")), 3, says, "hint: ")
    assert not (lab.name() / log.FILE).exists(), "what measured nothing is no result"


# How the answer to the second job differs from an honest one: lines of Python that change `one`, a Timed, or that say
# what to send; and what the error says.
_SERIES = "one['series'][0]"
ANSWERS = {
    "a negative time": (f"{_SERIES}['values']['dirty'][0] = -1e9", "values can't be"),
    "a time that is endless": (f"{_SERIES}['values']['dirty'][0] = float('inf')", "Infinity is no number"),
    "a time of 1e999": ("text = text.replace('10.0', '1e999', 1)", "is inf"),
    "a time that is no number": (f"{_SERIES}['values']['dirty'][0] = float('nan')", "NaN is no number"),
    "an interface that is unknown": (f"{_SERIES}['interface'] = 'scan-v9'", "'scan-v9', which nobody asked for"),
    "an interface nobody asked for": (f"{_SERIES}['interface'] = 'mprotect'", "'mprotect', which nobody asked for"),
    "a form twice": ("one['series'].append(one['series'][0])", "none twice"),
    "a form less": ("del one['series'][1]", "scan-wp left out"),
    "a refusal of what it measured": ("one['refused'] = {'scan-wp': 'no'}", "scan-wp measured and refused"),
    "two values of one": (f"{_SERIES}['values']['dirty'] *= 2", "2 values of dirty instead of 1"),
    "no writes": (f"del {_SERIES}['values']['dirty'], {_SERIES}['warmups']['dirty']", "values of nothing instead"),
    "intervals of its own number": (f"{_SERIES}['intervals'] = 5", "5 intervals instead of 101"),
    "wrong pages that don't add up": (f"{_SERIES} |= dict(extra=5, wrong='101x+0-0')", "0 pages extra instead of 5"),
    "wrong pages of 5,000 digits": (f"{_SERIES} |= dict(extra=5, wrong='9' * 5000 + 'x+1-0')", "wrong can't be"),
    "100,000 functions": (f"{_SERIES}['samples'] = dict(dirty=dict.fromkeys(map(str, range(100_000)), 1))", "samples"),
    "a function of 1,000 characters": (f"{_SERIES}['samples'] = dict(dirty={{'f' * 1000: 1}})", "samples"),
    "instructions, of times": (f"{_SERIES}['counters'] = dict(dirty=dict(kernel=[5.0]))", "events 'kernel'"),
    "another point": ("one['point']['pages'] = 4096", "pages=4096"),
    "another process": ("one['process'] = 99", "process 99, which is something else"),
    "another boot": ("one['boot'] = 5", "it is of boot 5"),
    "a field more": ("one['trust'] = 'me'", "has a field that is not known here, 'trust'"),
    "a word for a number": (f"{_SERIES}['intervals'] = '101'", "intervals is '101'"),
    "what it is, again": ("one = dict(type='machine', boot=0, facts={}, unavailable={})", "what a machine is, which"),
    "a verdict": ("one = dict(type='played', boot=0, scenario='plain', interface='scan-wp', contract='', "
                  "runs=[dict(times=1)])", "a verdict on plain with scan-wp, which is something else"),
    "that another job failed": ("one = dict(type='failed', boot=0, job='x', why='y')", "a failure of x, which"),
    "what the kernel's log says": ("one = dict(type='messages', boot=0, counts={}, first=[])", "log says, which"),
}  # fmt: skip
_SECOND = """
import json
begin()
answer(job())
honest, said = line, []
line = said.append
answer(job())
line, one = honest, json.loads(said[0])
{change}
line({text})
heard()
"""


@pytest.mark.parametrize("what", ANSWERS)
def test_instead_of_times_a_guest_sends(lab, what):
    change, says = ANSWERS[what]
    text = "json.dumps(one)"
    if change.startswith("text = "):
        change, text = "", change.removeprefix("text = ").replace("text", "said[0]")
    done = lab.bench(*two(lab, _SECOND.format(change=change, text=text)))
    survived(done, 3, says, "random pages=8 dirty=10%", "hint: ")
    only_the_first_is_kept(lab)


def two(lab, script):
    """The words of a run in a guest of two jobs."""
    words = lab.qemu(script)
    words[words.index("--pages") + 1] = "64,8"
    return words


def only_the_first_is_kept(lab):
    """Check that what was measured before the lie can be read, and nothing else."""
    found = log.read(lab.name() / log.FILE)[0]
    assert [one.point.pages for one in found if isinstance(one, Timed)] == [64]
    assert [one.job for one in found if isinstance(one, Failed)] == [""]
    result = frames.load(lab.name())
    assert len(result.fallen) == 1
    assert set(result.frame["pages"]) == {64}


# What a guest sends that nobody waits for, after honest answers
MORE = {
    "100 answers to one job": "begin(); one = job(); [answer(one) for _ in range(100)]; end()",
    "an answer before the job": "begin(); from bench.plan.plan import Timing\n"
    "answer(Timing(plan.points[1], 0)); work(); end()",
    "the same process twice": "begin(); one = job(); answer(one); job(); answer(one); end()",
    "a log of its own after the end": "from bench.plan.records import Messages, encode\n"
    "begin(); work(); line(encode(Messages(0, {}, []))); end()",
}


@pytest.mark.parametrize("what", MORE)
def test_what_nobody_asked_for_is_not_kept(lab, what):
    done = lab.bench(*two(lab, MORE[what]))
    survived(done, 3, "hint: ")
    path = lab.name() / log.FILE
    found = [one for one in log.read(path)[0] if isinstance(one, Timed)] if path.exists() else []
    assert len({one.key for one in found}) == len(found) <= 2
    if found:
        assert not frames.load(lab.name()).frame.empty


# What a guest sends about scenarios; each is asked to be played twice
_BEGIN_PLAYS = "begin(); one = job(); from bench.plan.records import Plays\n"
PLAYED = {
    "a scenario nobody asked for": "answer(one._replace(scenario='swapped'))",
    "an interface nobody asked for": "answer(one._replace(interface='v6'))",
    "more plays": "answer(one, runs=[Plays(1000, written=1)])",
    "fewer plays": "answer(one, runs=[Plays(1, written=1)])",
    "more broken than wrong": "answer(one, runs=[Plays(2, extra=1, broken=5)])",
    "no plays": "answer(one, runs=[])",
    "plays below nothing": "answer(one, runs=[Plays(3, written=1), Plays(-1, written=1)])",
}


@pytest.mark.parametrize("what", PLAYED)
def test_instead_of_a_verdict_a_guest_sends(lab, what):
    words = lab.qemu(_BEGIN_PLAYS + PLAYED[what] + "\nheard()")
    at = words.index("--pages")
    words[at : at + 6] = ["--suite", "meaning", "--filter", "plain", "--values", "2"]
    survived(lab.bench(*words), 3, "plain with scan-wp", "hint: ")
    assert not (lab.name() / log.FILE).exists()


def test_what_guests_say_is_shown_harmless(lab):
    """Escapes in each text that a guest may send are in no output, and in no file beside the log."""
    script = f"""
bad = {ESCAPES!r}
from bench.plan.interfaces import Reason
from bench.plan.records import Failed, encode
begin(unavailable={{"none on anon": Reason(bad, bad)}}, findings={{"scan-wp": bad}})
print("[    9.000000] WARNING: " + bad, flush=True)
answer(job())
line(encode(Failed(boot, job() and plan.points[1].name + ", process 0", bad)))
heard()
end()
"""
    done = lab.bench(*two(lab, script))
    said = survived(done, 3, "hint: ")
    name = lab.name()
    for words in (["report", name], ["report", name, "--all"], ["report", name, "--format", "html"],
                  ["report", name, "--format", "csv"], ["cover-letter", name]):  # fmt: skip
        shown = lab.bench(*words)
        assert "Traceback" not in shown.stderr
        said += shown.stdout + shown.stderr
    said += "".join(
        path.read_text(errors="replace") for path in name.iterdir() if path.suffix in (".txt", ".html", ".svg")
    )
    assert "red" in said
    assert not [one for one in "\x1b\x07\u202e\x9b" if one in said]


@pytest.mark.timeout(60)
def test_a_boot_that_begins_again_and_again_is_read_in_one_go(tmp_path):
    """Looking through all there is at each of its beginnings would take hours."""
    plan, machine = log.read(synthetic.result(tmp_path / "a", what=FEW) / log.FILE)[0][:2]
    machine = machine._replace(facts=machine.facts | {"boot_id": "the same"})
    said = Messages(machine.boot, {}, [])
    (tmp_path / log.FILE).write_text("".join(f"{records.encode(one)}\n" for one in (plan, machine)))
    with (tmp_path / log.FILE).open("a") as file:
        file.write(f"{records.encode(said)}\n" * 40_000 + f"{records.encode(machine)}\n" * 20_000)
    assert log.read(tmp_path / log.FILE)[0] == [plan, *[said] * 40_000, machine]
