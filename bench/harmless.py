# SPDX-License-Identifier: GPL-2.0-only
"""Makes foreign text harmless to show: what guests, other people's files and command lines hold may be anything."""

import re

LONGEST = 2000  # characters of one text
# CSI and other escape sequences, OSC and its like up to their end
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
_SPACE = re.compile(r"[^\S ]+")  # tabs, ends of lines, spaces of other widths
_BAD = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # control, bidirectional and other format, halves of characters ...


def quoted(name: str) -> str:
    """Return the name of a file as it may be shown: with anything that can't be, as Python writes it in its source.

    Unlike harmless(), it makes no two names one.
    """
    return name if name.isprintable() else repr(name)


def harmless(text: str, longest: int = LONGEST) -> str:
    """Return one line without terminal escapes, with ? for what can't be shown, cut where it is too long."""
    text = text[: 4 * longest]
    if text.isascii() and text.isprintable():
        shown = text
    else:
        import unicodedata  # noqa: PLC0415  (a library of its own, which no worker should have among its pages)

        text = _SPACE.sub(" ", _ESCAPE.sub("", text))
        shown = "".join("?" if unicodedata.category(one) in _BAD else one for one in text)
    return shown if len(shown) <= longest else f"{shown[: longest - 5]}[...]"
