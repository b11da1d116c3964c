# SPDX-License-Identifier: GPL-2.0-only
"""Copies to be installed: a wheel, a Debian package, a container. None of it runs where something is measured."""
