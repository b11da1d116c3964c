# SPDX-License-Identifier: GPL-2.0-only
"""One file per plot: plot(frame) -> Figure | None. No measuring, no parsing, no files; dropping a file in adds a plot.

A plot's constant FRAME names the frame it takes: "intervals", the rows of frames.intervals() of one result, whose
amounts Unit.factor brings to the unit of titles and axes; "comparison", of report/comparisons.py's drawn(), one row
per case and new result; "functions", of report/functions.py's drawn(), one row per function that changed; "meaning",
of report/meaning.py's frame(), one row per verdict; "bystanders", of store/bystanders.py's load(), one row per bucket;
or, of many kernels, "history" and "verdict history", of report/history.py's frames(), a row per kernel and phase, or
verdict. A plot that is about something else than the frame returns None; one that the frame gives too little to draw
raises Unsupported with the reason. No plots are style.py, which holds what they share, and drawing.py, which draws
them all.
"""
