# SPDX-License-Identifier: GPL-2.0-only
"""Inputs that nobody would write on purpose, by the thousand: `make fuzz`, and a short part in `make test`."""
