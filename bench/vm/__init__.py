# SPDX-License-Identifier: GPL-2.0-only
"""Virtual machines: find a kernel, build the initramfs, run QEMU. Kept empty, since PID 1 of a guest imports it."""
