# SPDX-License-Identifier: GPL-2.0-only
"""Behaviour, tried on real kernels."""
