# SPDX-License-Identifier: GPL-2.0-only
"""One file per plot: plot(frame) -> Figure | None. No measuring, no parsing, no files; dropping a file in adds a plot.

A plot's constant FRAME names the frame it takes: "intervals", the rows of results.intervals() of one result, or
"comparison", one row per case and new result; forest.py lists its columns; or "meaning", the rows of
meaning_report.frame(). A plot that is about something else than the frame returns None; one that the frame gives too
little to draw raises Unsupported with the reason. style.py is no plot: it holds what they share.
"""
