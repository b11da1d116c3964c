# SPDX-License-Identifier: GPL-2.0-only
"""From a command line to records on disk: options, requests, machines, campaigns, progress."""
