# SPDX-License-Identifier: GPL-2.0-only
"""How an option of `run` is declared, once: what may be typed, where it is in --help, and where it has a meaning."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import click

from bench.plan.settings import ASKING, MEMORY, SETTINGS
from bench.run import completing

# Types of options are generic since click 8.4; Debian 13 has 8.1.
if not TYPE_CHECKING and not hasattr(click.ParamType, "__class_getitem__"):
    click.ParamType.__class_getitem__ = classmethod(lambda cls, of: cls)

# The groups of --help, in their order.
WHAT, OFTEN, WHERE, OUTPUT = "What to measure", "How often", "Where", "Output"
GROUPS = (WHAT, MEMORY, ASKING, OFTEN, WHERE, OUTPUT)
# What an option may need to have a meaning; bench/run/request.py says when that is so, and what to do where it isn't.
TIMINGS, SCENARIOS, GUEST, HERE = "timings", "scenarios", "guest", "here"
# Formats for who reads results of tests, not prose
KTAP, TAP, KCIDB = FOR_CI = "ktap", "tap", "kcidb"
LKP, LAVA, TMT = FOR_LABS = "lkp", "lava", "tmt"
NUMBERED = (KCIDB, *FOR_LABS)  # those that take times too
LONGEST = 4096  # characters of a text: Linux takes no longer paths
MOST_VALUES = 1000  # of one list
_SHOWN = 100  # characters of a wrong value, in its error
_DECIMAL = re.compile(r"-?\d{1,20}(?:\.\d{0,20})?(?:e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?\d{1,15}", re.ASCII)
_NUMBER = re.compile(r"(-?\d(?:_?\d){0,30})(?:([KMG])i?)?", re.ASCII | re.IGNORECASE)
_MOST_MIB = 1 << 24
_SHIFTS = {"": 0, "K": 10, "M": 20, "G": 30}


def number(text: str) -> int:
    """Return a whole number: 16384, 16_384, 16K or 16Ki. Raises ValueError."""
    found = _NUMBER.fullmatch(text)
    if not found:
        raise ValueError(text)
    return int(found[1]) << _SHIFTS[(found[2] or "").upper()]


def number_of_bytes(text: str) -> int:
    """Return a number that may end in B: 64KiB. Raises ValueError."""
    return number(re.sub("B$", "", text, flags=re.IGNORECASE))


def percentage(text: str) -> float:
    """Return a percentage, with or without its sign. Raises ValueError."""
    return decimal(text.removesuffix("%"))


def decimal(text: str) -> float:
    """Return a number such as 0.05 or 1e-3: in ASCII, and neither infinite nor none. Raises ValueError."""
    if not _DECIMAL.fullmatch(text) or not math.isfinite(found := float(text)):
        raise ValueError(text)
    return found


def probability(text: str) -> float:
    """Return a level of significance. Raises ValueError."""
    found = decimal(text)
    if not 0 < found <= 0.5:
        raise ValueError(text)
    return found


def build(text: str) -> str:
    """Return KCIDB's identifier of a build: the CI system, a colon, what that calls it. Raises ValueError."""
    if not re.fullmatch(r"[a-z0-9_]+:.+", text) or trouble(text):
        raise ValueError(text)
    return text


def word(text: str) -> str:
    """Return a text that is not empty, and can be shown. Raises ValueError."""
    if trouble(text):
        raise ValueError(text)
    return text


def trouble(text: str) -> str:
    """Return why a text can't be taken, empty where it can."""
    if not text.strip():
        return "it is empty: is a variable of a script not set?"
    if len(text) > LONGEST:
        return f"it has {len(text)} characters, and {LONGEST} are the most"
    if not text.isprintable():
        bad = next(one for one in text if not one.isprintable())
        return f"{_typed(text)} has a character that can't be shown, or is not UTF-8: {bad!r}"
    return ""


def _typed(value: object) -> str:
    """A value as it was typed, in quotes, cut where it is too long."""
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}[...]"


class Text(click.ParamType[str]):
    """A text, which is never empty: an unset variable of a script must not take the default."""

    name = "TEXT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text, or fail with what is wrong with it."""
        if why := trouble(str(value)):
            self.fail(why, param, ctx)
        return str(value)


class Names(Text):
    """A name, or several with commas between them, of an option that may be repeated; each() makes one tuple of all."""

    @staticmethod
    def each(_: click.Context, __: click.Parameter, given: Sequence[str]) -> tuple[str, ...]:
        """Return the names, as a callback of the option."""
        return tuple(name.strip() for one in given for name in one.split(","))


class Folder(click.Path):
    """A folder that exists."""

    def __init__(self) -> None:
        super().__init__(exists=True, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return its path."""
        return super().convert(Text().convert(value, param, ctx), param, ctx)


class Whole(click.IntRange):
    """A whole number, in ASCII."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        if not _WHOLE.fullmatch(str(value)):
            self.fail(f"{_typed(value)} is not a whole number", param, ctx)
        return super().convert(value, param, ctx)


class Mebibytes(int):
    """A size of memory in MiB, shown as it is typed."""

    def __str__(self) -> str:
        return f"{int(self)}M"


class Memory(click.ParamType[int]):
    """A size of memory: 2G, 800M."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return it as Mebibytes."""
        try:
            found, rest = divmod(number_of_bytes(str(value)), 1 << 20)
        except ValueError:
            found = rest = 0
        if rest or not 1 <= found <= _MOST_MIB:
            self.fail(f"{_typed(value)} is not a size in whole MiB, such as 800M or 2G", param, ctx)
        return Mebibytes(found)


class Typed(click.ParamType[Any]):
    """One value, or several with commas between them, each read by `read`. `complaint`: what else is, `{}`."""

    def __init__(self, name: str, read: Callable[[str], Any], complaint: str, *, many: bool = True) -> None:
        self.name, self._read, self._complaint, self._many = name, read, complaint, many

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return what was typed as values, or fail with an example."""
        text = str(value)
        if self._many and text.count(",") >= MOST_VALUES:
            self.fail(f"it has {text.count(',') + 1} values, and {MOST_VALUES} are the most", param, ctx)
        try:
            return [self._read(part) for part in text.split(",")] if self._many else self._read(text)
        except ValueError:
            self.fail(self._complaint.format(_typed(value)) if text.strip() else trouble(text), param, ctx)


class More(int):
    """A number that is typed with a plus: so many more than there are."""

    def __str__(self) -> str:
        return f"+{int(self)}"


class UpTo(int):
    """The larger one of two numbers that are typed as 3-5; least: the smaller one."""

    least: int

    def __new__(cls, least: int, most: int) -> Self:
        """Keep both."""
        self = super().__new__(cls, most)
        self.least = least
        return self

    def __str__(self) -> str:
        return f"{self.least}-{int(self)}"


class Percent(float):
    """A part of something in percent, shown as it is typed."""

    def __str__(self) -> str:
        return f"{float(self):g}%"


def precision(text: str) -> Percent:
    """Return how sure something is to be: 1%, 0.5%. Raises ValueError."""
    found = Percent(percentage(text))
    if not LEAST_PRECISION <= found <= MOST_PRECISION:
        raise ValueError(text)
    return found


class Boots(click.ParamType[int]):
    """How many boots: 5, +5 for so many more, or 3-5 for as many as it takes."""

    name = "N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, as More where it has a plus, as UpTo where there are two."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\+?)([1-9]\d{0,3})(?:-([1-9]\d{0,3}))?", value, re.ASCII)
        if not found or (found[1] and found[3]) or not int(found[2]) <= int(found[3] or found[2]) <= MOST_BOOTS:
            self.fail(f"{_typed(value)} is none of 5, +5 and 3-5, with numbers from 1 to {MOST_BOOTS}", param, ctx)
        if found[3]:
            return UpTo(int(found[2]), int(found[3]))
        return More(found[2]) if found[1] else int(found[2])


MOST_BOOTS = 1000
LEAST_PRECISION, MOST_PRECISION = 0.01, 50.0  # percent
COUNTS = Typed("N,...", number, "{} is not a list of numbers such as 1,1000,16Ki")
SIZES = Typed("SIZE,...", number_of_bytes, "{} is not a list of sizes such as 0,64K,1G")
PERCENTS = Typed("PERCENT,...", percentage, "{} is not a list of percentages such as 1,10,50%")
WORDS = Typed("WORD,...", word, "{} is not a list of words with commas between them")
SIZE = Memory()
PRECISION = Typed(
    "PERCENT",
    precision,
    f"{{}} is not a percentage from {LEAST_PRECISION:g}% to {MOST_PRECISION:g}%, such as 1%",
    many=False,
)
PROBABILITY = Typed("P", probability, "{} is not a probability above 0, at most 0.5, such as 0.05", many=False)
BUILD = Typed(
    "ORIGIN:ID", build, "{} is no build of KCIDB's such as kernelci:67f3, whose origin is a-z, 0-9 and _", many=False
)
TEXT = Text()
NAMES = Names()
FOLDER = Folder()
SORTS = {"counts": COUNTS, "sizes": SIZES, "percents": PERCENTS, "words": WORDS, "flag": click.BOOL}


class Option(NamedTuple):
    """An option of `run`. `key`: the field of Request or of Point; `neutral`: a value that asks for nothing special."""

    name: str
    type: click.ParamType[Any]
    group: str
    help: str
    needs: tuple[str, ...] = ()
    key: str = ""
    default: Any = None
    neutral: Any = None
    metavar: str | None = None
    repeated: bool = True  # it stands in the line that repeats a run

    @property
    def flag(self) -> bool:
        """Whether it takes no value."""
        return self.type is click.BOOL

    def given(self, value: Any) -> bool:
        """Whether the value asks for something."""
        return value not in (None, (), self.default, self.neutral)

    def words(self, value: Any) -> list[str]:
        """The option with a value, as typed."""
        if value is None or value is False:
            return []
        if self.flag:
            return [self.name]
        if isinstance(value, tuple):
            return [word for one in value for word in (self.name, str(one))]
        return [self.name, ",".join(map(_shown, value)) if isinstance(value, list) else str(value)]


def _shown(value: Any) -> str:
    """A value as it can be typed again, without losing anything: 2.5, 100."""
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def declared(name: str, kind: click.ParamType[Any], group: str, text: str, **more: Any) -> Any:
    """Return a field of Request that is this option."""
    row = Option(name, kind, group, text, **more)
    return dataclasses.field(default=row.default, metadata={"option": row})


def table(request: type[Any]) -> tuple[Option, ...]:
    """Return every option, in the order in which Request has them; its field `settings` stands for those of a point."""
    rows: list[Option] = []
    for one in dataclasses.fields(request):
        if one.name == "settings":
            rows += [Option(s.option, SORTS[s.sort], s.group, s.help, (TIMINGS,), key) for key, s in SETTINGS.items()]
        else:
            rows.append(one.metadata["option"]._replace(key=one.name))
    return tuple(rows)


class Grouped(click.Command):
    """A command whose --help has its options in groups."""

    groups: Mapping[str, str] = {}  # by parameter

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, group by group."""
        written: dict[str, list[tuple[str, str]]] = {group: [] for group in GROUPS}
        for param in self.get_params(ctx):
            if record := param.get_help_record(ctx):
                written[self.groups.get(param.name or "", OUTPUT)].append(record)
        for group, records in written.items():
            with formatter.section(group):
                formatter.write_dl(records)


def grouped(rows: Sequence[Option], **others: str) -> type[Grouped]:
    """Return the class of a command that has these options, and others in the groups given."""
    return type("GroupedCommand", (Grouped,), {"groups": {row.key: row.group for row in rows} | others})


def add(rows: Sequence[Option]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command with the options."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for row in reversed(rows):
            several = isinstance(row.default, tuple)
            command = click.option(
                row.name,
                row.key,
                type=row.type,
                is_flag=row.flag,
                multiple=several,
                callback=Names.each if isinstance(row.type, Names) else None,
                default=None if row.flag else row.default,
                show_default=row.default is not None and not several,
                metavar=row.metavar,
                help=row.help,
                shell_complete=completing.names,
            )(command)
        return command

    return decorate
