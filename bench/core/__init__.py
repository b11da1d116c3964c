# SPDX-License-Identifier: GPL-2.0-only
"""The C core. `build.py` compiles it; `bench/measure/core.py` is what Python sees of it."""
