# SPDX-License-Identifier: GPL-2.0-only
"""Text that survives mail and a shell."""

import shlex
import subprocess

import pytest

from bench.report import layout
from tests.texts import assert_mailable


def test_command_survives_wrapping():
    many = " ".join(f"--option{i} value{i}" for i in range(12))
    line = f"./bench.py run --filter '*random pages=1000 dirty=10% scan-wp atomic*' --name \"it's\" {many}"
    text = layout.command(line)
    assert max(map(len, text.splitlines())) <= 72
    assert shlex.split(text.replace("\\\n", "")) == shlex.split(line)


def test_command_with_other_letters_is_ascii_for_a_shell():
    text = layout.command(shlex.join(["printf", "%s", "/home/jörg/a b's"]))
    assert text.isascii()
    assert subprocess.run(["bash", "-c", text], capture_output=True, text=True).stdout == "/home/jörg/a b's"


def test_paragraph_is_ascii():
    assert_mailable(layout.paragraph("Gerät™ µs " * 20))


@pytest.mark.parametrize("widths", [[5], [30] * 5, [60, 5, 5, 60], [80, 3], [9] * 40])
@pytest.mark.parametrize("more", [0, 20])
def test_columns_are_cut_into_as_few_tables_as_there_is_room_for(widths, more):
    cuts = layout.fitting(widths, 10, last=lambda _: more)
    assert [width for cut in cuts for width in widths[cut]] == widths

    def needed(some):
        return 2 + 10 + sum(3 + width for width in some) + more

    for cut, after in zip(cuts, [*cuts[1:], None], strict=True):
        assert needed(widths[cut]) <= 72 or cut.stop - cut.start == 1
        if after:
            assert needed(widths[cut.start : after.start + 1]) > 72
