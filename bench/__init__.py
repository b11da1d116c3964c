# SPDX-License-Identifier: GPL-2.0-only
"""The engine: interfaces to learn which pages were written, measured and checked alike."""
