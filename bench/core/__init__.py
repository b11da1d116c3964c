# SPDX-License-Identifier: GPL-2.0-only
"""The C core. `build.py` compiles it; `bench/mapping.py` is what Python sees of it."""
