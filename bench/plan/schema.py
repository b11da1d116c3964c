# SPDX-License-Identifier: GPL-2.0-only
"""Checks what JSON says against types: of named tuples every field, nothing else is taken. Errors name the place."""

from __future__ import annotations

import json
from collections.abc import Callable
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


def typed(value: Any, wanted: Any, where: str) -> Any:
    """Return the value as the type that is wanted. Raises BadInput that names the place."""
    if hasattr(wanted, "_fields"):
        return _fields(value, wanted, where)
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin in (list, tuple):
        if not isinstance(value, list):
            raise BadInput(f"{where} is no list")
        return origin(typed(one, inner[0], f"{where}[{i}]") for i, one in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise BadInput(f"{where} is no object")
        return {_shown_safely(key, where): typed(one, inner[1], f"{where}.{key[:40]}") for key, one in value.items()}
    allowed = inner if origin is Union or inner else (wanted,)
    if not any(_is(value, one) for one in allowed):
        raise BadInput(f"{where} is {shown(value)}, not {' or '.join(one.__name__ for one in allowed)}")
    if isinstance(value, str):
        return _shown_safely(value, where)
    return float(value) if allowed == (float,) else value


def _shown_safely(text: str, where: str) -> str:
    """The text as anybody may show it. Raises BadInput for one that is too long."""
    if len(text) > LONGEST_TEXT:
        raise BadInput(f"{where} is a text of {len(text)} characters, more than {LONGEST_TEXT}")
    return text if text.isascii() and text.isprintable() else harmless(text, LONGEST_TEXT)


def _is(value: Any, wanted: type) -> bool:
    """Whether a value of JSON is of a plain type, and a number that can be."""
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _BIGGEST
    return isinstance(value, wanted)


def _fields(value: Any, wanted: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise BadInput(f"{where} is no object")
    if unknown := value.keys() - set(wanted._fields):
        raise BadInput(f"{where} has a field that is not known here, {min(unknown)[:40]!r}: is it of a later version?")
    if missing := set(wanted._fields) - value.keys() - wanted._field_defaults.keys():
        raise BadInput(f"{where} lacks {min(missing)}")
    hints = _hints(wanted)
    made = wanted(**{key: typed(one, hints[key], f"{where}.{key}") for key, one in value.items()})
    if wanted in CHECKS and (bad := CHECKS[wanted](made)):
        raise BadInput(f"{where}.{bad} can't be {shown(getattr(made, bad))}")
    return made


_known_hints: dict[Any, dict[str, Any]] = {}


def _hints(wanted: Any) -> dict[str, Any]:
    if wanted not in _known_hints:
        _known_hints[wanted] = get_type_hints(wanted)
    return _known_hints[wanted]


def shown(value: Any) -> str:
    """Return a value for an error, cut where it is too long."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = repr(value)
    return text if len(text) < 60 else text[:60] + "..."
