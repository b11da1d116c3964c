# SPDX-License-Identifier: GPL-2.0-only
"""On the kernel that runs them: here, and unchanged inside guests. They import nothing a guest lacks."""
