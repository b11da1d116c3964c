# SPDX-License-Identifier: GPL-2.0-only
"""One file per plot: plot(rows) -> Figure. No measuring, no parsing, no files; dropping a file in adds a plot."""
