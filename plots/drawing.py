# SPDX-License-Identifier: GPL-2.0-only
"""Draws every plot there is of a frame, as PNG and SVG. It is no plot itself."""

import importlib
import io
import pkgutil
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

import plots
from bench.errors import Unsupported
from plots import style


class Drawn(NamedTuple):
    """Plots: their names, why others were not drawn, and the content of the files by name, such as phases.png."""

    names: list[str]
    omitted: list[str]
    files: dict[str, bytes]


def modules() -> dict[str, ModuleType]:
    """Return the plots by name, sorted: the modules of this folder that name the frame they take."""
    names = sorted(info.name for info in pkgutil.iter_modules(plots.__path__))
    found = {name: importlib.import_module(f"plots.{name}") for name in names}
    return {name: module for name, module in found.items() if hasattr(module, "FRAME")}


def every(frame: pd.DataFrame, kind: str) -> Drawn:
    """Draw every plot of that kind of frame."""
    made = Drawn([], [], {})
    for name, module in modules().items():
        if kind != module.FRAME:
            continue
        with style.applied():
            try:
                figure: Figure | None = module.plot(frame)
            except Unsupported as why:
                made.omitted.append(f"{name} ({why})")
                continue
            if figure is None:  # about something else than this result
                continue
            made.files[f"{name}.png"], made.files[f"{name}.svg"] = png(figure), svg(figure)
        made.names.append(name)
    return made


def png(figure: Figure) -> bytes:
    """A PNG of 128 colours: a third of the size, and mailing lists want less than 100 KB."""
    _lay_out(figure)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")  # type: ignore[no-untyped-call]
    # the default, median cut, mixes rare colours: a heading came out in another interface's
    colours = image.quantize(128, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small = io.BytesIO()
    colours.save(small, "png", optimize=True)
    return small.getvalue()


def svg(figure: Figure) -> bytes:
    """An SVG without dates and versions: the same data gives the same file."""
    _lay_out(figure)
    # Where the layout's solver puts axes differs by 1e-13 with the addresses of its objects, and clips are named after
    # such numbers: a thousandth of a pixel is fine enough.
    for axes in figure.axes:
        left, bottom, width, height = (round(float(one), 6) for one in axes.get_position(original=True).bounds)
        axes.set_position((left, bottom, width, height))
    data = io.BytesIO()
    figure.savefig(data, format="svg", metadata={"Date": None, "Creator": None})
    return data.getvalue()


def _lay_out(figure: Figure) -> None:
    """Lay a figure out once, not for each file."""
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
