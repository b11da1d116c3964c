# SPDX-License-Identifier: GPL-2.0-only
"""Results on disk and as frames: the log of records, older formats, exports, published numbers. Needs no C."""
