# SPDX-License-Identifier: GPL-2.0-only
"""Checks what JSON says against types: of named tuples every field, nothing else is taken. Errors name the place."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Union, get_args, get_origin, get_type_hints

from bench.errors import BadInput
from bench.harmless import harmless

LONGEST_TEXT = 1 << 22  # characters: 100,000 intervals, each wrong in its own way
_BIGGEST = 2**63
_LARGEST = 1e300  # of numbers that are calculated with; infinity and NaN are not below it

# By type: returns which of its fields can't be, by their values; empty where all can.
CHECKS: dict[Any, Callable[[Any], str]] = {}


def parsed(text: str) -> Any:
    """Return what a text of JSON says. Raises BadInput for what is none, or says a name twice or an endless number."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"no JSON: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"{shown(twice)} is there twice")
    return found


def _finite(word: str) -> Any:
    raise ValueError(f"{word} is no number")


class _Wrong(Exception):
    """What a value is that it can't be, and where: said from the inside out, as most values are what they should be."""

    def at(self, place: str) -> _Wrong:
        return _Wrong(place + self.args[0])


def typed(value: Any, wanted: Any, where: str) -> Any:
    """Return the value as the type that is wanted. Raises BadInput that names the place."""
    try:
        return _reader(wanted)(value)
    except _Wrong as error:
        raise BadInput(where + error.args[0]) from None


@cache
def _reader(wanted: Any) -> Callable[[Any], Any]:
    """Return what takes a value of JSON for a type, once for each type. It raises _Wrong."""
    if hasattr(wanted, "_fields"):
        return partial(_fields, wanted, {name: _reader(hint) for name, hint in get_type_hints(wanted).items()})
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin in (list, tuple):
        return partial(_items, origin, _reader(inner[0]))
    if origin is dict:
        return partial(_named, _reader(inner[1]))
    return _plain(inner if origin is Union or inner else (wanted,))


def _items(kind: type, read: Callable[[Any], Any], value: Any) -> Any:
    if not isinstance(value, list):
        raise _Wrong(" is no list")
    made: list[Any] = []
    try:
        for one in value:
            made.append(read(one))
    except _Wrong as error:
        raise error.at(f"[{len(made)}]") from None
    return kind(made)


def _named(read: Callable[[Any], Any], value: Any) -> Any:
    if not isinstance(value, dict):
        raise _Wrong(" is no object")
    made = {}
    for key, one in value.items():
        try:
            made[_shown_safely(key)] = read(one)
        except _Wrong as error:
            raise error.at(f".{key[:40]}") from None
    return made


def _plain(allowed: tuple[Any, ...]) -> Callable[[Any], Any]:
    """Of numbers and texts: those that can be calculated with, and shown.

    A whole number that numpy's integers do not hold is a float, where it may be one.
    """
    names = " or ".join(one.__name__ for one in allowed)

    def read(value: Any) -> Any:
        kind = type(value)
        if kind is int and (float in allowed or int in allowed):
            if int in allowed and abs(value) < _BIGGEST:
                return value
            if float in allowed and abs(value) < _LARGEST:
                return float(value)
            raise _Wrong(f" is {shown(value)}, which is too large")
        if kind in allowed:
            if kind is str:
                return _shown_safely(value)
            if kind is not float or abs(value) < _LARGEST:
                return value
        raise _Wrong(f" is {shown(value)}, not {names}")

    return read


def _shown_safely(text: str) -> str:
    """The text as anybody may show it. Raises _Wrong for one that is too long."""
    if len(text) > LONGEST_TEXT:
        raise _Wrong(f" is a text of {len(text)} characters, more than {LONGEST_TEXT}")
    return text if text.isascii() and text.isprintable() else harmless(text, LONGEST_TEXT)


def _fields(wanted: Any, readers: dict[str, Callable[[Any], Any]], value: Any) -> Any:
    if not isinstance(value, dict):
        raise _Wrong(" is no object")
    if unknown := value.keys() - readers.keys():
        raise _Wrong(f" has a field that is not known here, {min(unknown)[:40]!r}: is it of a later version?")
    if missing := readers.keys() - value.keys() - wanted._field_defaults.keys():
        raise _Wrong(f" lacks {min(missing)}")
    fields = {}
    for key, one in value.items():
        try:
            fields[key] = readers[key](one)
        except _Wrong as error:
            raise error.at(f".{key}") from None
    made = wanted(**fields)
    if wanted in CHECKS and (bad := CHECKS[wanted](made)):
        raise _Wrong(f".{bad} can't be {shown(getattr(made, bad))}")
    return made


def shown(value: Any) -> str:
    """Return a value for an error, cut where it is too long."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = repr(value)
    return text if len(text) < 60 else text[:60] + "..."
