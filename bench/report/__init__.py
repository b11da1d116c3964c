# SPDX-License-Identifier: GPL-2.0-only
"""Statistics as text: numbers, tables, sentences, pages, HTML, KTAP, letters."""
