# SPDX-License-Identifier: GPL-2.0-only
"""All that measures, here or in a guest: the C core as Python objects, probes, timings, plays, machine facts."""
