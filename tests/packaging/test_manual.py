# SPDX-License-Identifier: GPL-2.0-only
"""The manual page has every command and option, and is read without a complaint."""

import os
import re
import shutil
import subprocess

import click
import pytest

from bench.packaging import manual
from bench.run import main


@pytest.fixture(scope="module")
def page():
    return manual.page()


def declared(command):
    """Names of all options of a command."""
    return {name for param in command.params if isinstance(param, click.Option) for name in param.opts}


def test_it_has_every_command_and_option(page):
    text = page.replace("\\-", "-").replace("\\fB", "")
    sections = dict(re.findall(r"^\.SS (\S+)\n(.*?)(?=^\.S[SH] )", text, re.MULTILINE | re.DOTALL))
    assert list(sections) == list(main.main.commands)
    for name, command in main.main.commands.items():
        shown = set(
            re.findall(r"(?<![\w-])(-\w|--[\w-]+)", "\n".join(re.findall(r"^\.TP\n(.*)", sections[name], re.M)))
        )
        assert shown == declared(command) | {"-h", "--help"}
        assert "Example:" in sections[name]
    assert "bench.py" not in text
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "EXIT STATUS", "FILES", "SEE ALSO"):
        assert f"\n.SH {heading}\n" in text


@pytest.mark.parametrize(
    "reader", [["mandoc", "-T", "lint", "-W", "warning"], ["man", "--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l"]]
)
def test_readers_complain_about_nothing(reader, page, tmp_path):
    if not shutil.which(reader[0]):
        pytest.skip(f"no {reader[0]} to read a manual page with")
    path = tmp_path / "pagemap-bench.1"
    path.write_text(page)
    env = os.environ | {"MANWIDTH": "80", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([*reader, path], capture_output=True, text=True, timeout=60, env=env)
    assert done.returncode == 0, done.stdout[-500:]
    assert not done.stderr
    assert reader[0] == "man" or not done.stdout


def test_nothing_is_taken_for_a_request_of_roff():
    assert manual._plain(".so x\n'br\na\\b -c") == "\\&.so x\n\\&'br\na\\eb \\-c"
