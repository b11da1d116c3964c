# SPDX-License-Identifier: GPL-2.0-only
"""What is measured, before anything is: points, kinds of memory, interfaces, suites, jobs. Needs no C."""
