# SPDX-License-Identifier: GPL-2.0-only
"""Lines come whole, in however many pieces they are sent."""

import os

from bench.measure import isolated


def test_lines_are_whole_however_they_come():
    read, write = os.pipe()
    lines = isolated.Lines(read)
    came = []
    for piece in (b"one\ntw", b"o", b"\n\nthree\r\nfo"):
        os.write(write, piece)
        came.append(lines.more())
    os.close(write)
    assert came == [[b"one"], [], [b"two", b"", b"three\r"]]
    assert lines.more() is None
    os.close(read)


def test_a_line_may_be_longer_than_the_room():
    sent = [b"x" * size for size in (10, 100_000, 1_000_000, 3)]

    def send(say):
        for line in sent:
            say(line.decode())

    assert isolated.run(send, 60) == ([line.decode() for line in sent], "")


def test_a_said_line_s_length_tells_nothing_of_its_digits():
    lengths = {len(isolated._line({"took": took})) for took in (1.0, 0.123456789012345, 123456)}
    assert lengths == {isolated._PAGE}
