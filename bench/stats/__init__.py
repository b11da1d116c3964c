# SPDX-License-Identifier: GPL-2.0-only
"""Statistics of frames: estimates, diagnostics, comparisons, the choice of what is shown. Numbers only, no text."""
