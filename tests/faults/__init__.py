# SPDX-License-Identifier: GPL-2.0-only
"""Faults that are provoked for real: each test is one, and passes where the suite survives it."""
