# SPDX-License-Identifier: GPL-2.0-only
"""What shells are told: bash itself is asked; of zsh and fish what their scripts would be answered."""

import os
import shutil
import subprocess

import click
import pytest

from bench.run import completing
from bench.run.main import main
from bench.store import log
from tests.support import ROOT, bench, refused


def answered(shell, words, number):
    """What ./bench.py answers to the script of a shell, line by line."""
    env = os.environ | {completing.VARIABLE: f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": number}
    done = bench(env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


ASK = """
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
set -- $(complete -p bench.py)
while [ "$1" != -F ]; do shift; done
"$2" "${COMP_WORDS[0]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        (["./bench.py", "cover"], ["cover-letter"]),
        ([str(ROOT / "bench.py"), "run", "--workload", "seq"], ["sequential"]),
        (["./bench.py", "run", "--interface", "scan-wp,scan-so"], ["scan-wp,scan-softdirty"]),
        (["./bench.py", "config", "--interface", "scan-so"], ["scan-softdirty"]),
        (["./bench.py", "report", "example-matrix/"], ["example-matrix/base", "example-matrix/new"]),
        (["./bench.py", "report", "--format", "kc"], ["kcidb"]),
        (["./bench.py", "run", "--where", "v"], ["vm"]),
        (["./bench.py", "run", "--suite", "lk"], ["lkml-2022"]),
        (["./bench.py", "run", "--kind", "anon,shmem-"], ["anon,shmem-thp"]),
        (["./bench.py", "matrix", "--life", ""], ["busy", "idle"]),
        (["./bench.py", "matrix", "--arch", "arm64-"], ["arm64-16k"]),
    ],
)
def test_bash_completes_what_is_typed(typed, wanted):
    command = ["bash", "--norc", "-c", completing.script("bash") + ASK, "bash", *typed]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == wanted, done.stderr


def test_no_result_is_offered_whose_name_can_not_be_typed(tmp_path, monkeypatch):
    for name in ("evil", "evil\x1b]0;pwned\x07", "m/evil\n"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / log.FILE).touch()
    monkeypatch.setattr(completing.place, "results", lambda: tmp_path)
    assert list(completing._results()) == ["evil"]


def test_every_choice_of_every_command_is_completed():
    known = [(command, param) for command in main.commands.values() for param in command.params]
    choices = [(command, param) for command, param in known if isinstance(param.type, click.Choice)]
    assert {command.name for command, _ in choices} >= {"run", "matrix", "probe", "report"}
    for command, param in choices:
        found = [one.value for one in param.shell_complete(click.Context(command), "")]
        assert found == [str(one) for one in param.type.choices], (command.name, param.name)


@pytest.mark.parametrize(
    ("asked", "words"),
    [("bash_complete", {}), ("bash_complete", {"COMP_WORDS": "./bench.py", "COMP_CWORD": "abc"}), ("csh_complete", {})],
)
def test_what_no_shell_asks_is_said_and_is_no_wrong_answer(asked, words):
    env = {key: value for key, value in os.environ.items() if not key.startswith("COMP_")}
    done = bench(env=env | words | {completing.VARIABLE: asked})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"error: {completing.VARIABLE} is {asked!r}, and no shell asks so",
        f"hint: it is set by the script of ./bench.py completion alone: unset {completing.VARIABLE}",
    ]


def test_zsh_and_fish_are_answered():
    first = answered("zsh", "./bench.py cov", "1")
    assert first[:2] == ["plain", "cover-letter"]
    assert answered("fish", "./bench.py report example-range/", "example-range/") == [
        "plain,example-range/6.12",
        "plain,example-range/7.3",
    ]


@pytest.mark.parametrize("shell", completing.SHELLS)
def test_a_script_calls_what_was_typed_and_not_a_bare_name(shell):
    text = completing.script(shell)
    assert "bench.py" in text
    assert f"{shell}_complete bench.py" not in text
    assert "COMP_CWORD=(commandline -t) bench.py" not in text
    if shutil.which(shell):
        done = subprocess.run([shell, "-n"], input=text, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")


def test_the_command_prints_the_script_and_another_shell_is_refused():
    assert bench("completion", "fish").stdout == f"{completing.script('fish')}\n"
    assert "'csh' is not one of" in refused("completion", "csh")
