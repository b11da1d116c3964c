# SPDX-License-Identifier: GPL-2.0-only
"""What `config` does: prints the configuration that a kernel needs, or says what one lacks."""

from __future__ import annotations

from collections.abc import Sequence

from bench.errors import LimitExceeded, Unsupported
from bench.plan import arches, interfaces, kconfig
from bench.plan.arches import USUAL
from bench.run.tell import note

_NAME = 16  # characters


def config(names: Sequence[str], spec: str | None, of: str = USUAL) -> None:
    """Print the fragment of an architecture for these interfaces, all if none is named; with a kernel, what that lacks.

    Raises LimitExceeded where it lacks something, Unsupported where its configuration isn't known.
    """
    rows, arch = kconfig.of_interfaces([interfaces.find(name).name for name in names]), arches.find(of)
    if spec is None:
        print(kconfig.fragment(rows, arch), end="")
        return
    from bench.vm import kernel  # noqa: PLC0415  (only where there is one)

    text = kernel.configuration(spec, echo=note, arch=arch)
    if not text:
        raise Unsupported(
            f"{spec} does not tell its configuration",
            "put it beside the image as a file named config, or build with CONFIG_IKCONFIG=y",
        )
    none = {row.name: why for row in rows if (why := arches.lacking(arch.machine, row.options))}
    lacks = {"boot in QEMU": kconfig.lacking(text, kconfig.boot(arch))}
    lacks |= {row.name: [] if row.name in none else kconfig.lacking(text, row.options) for row in rows}
    for what, options in lacks.items():
        found = f"lacks {', '.join(options)}" if options else none.get(what, "has all")
        print(f"{what:{_NAME}} {found}")
    if missing := dict.fromkeys(option for options in lacks.values() for option in options):
        raise LimitExceeded(
            f"{spec} lacks {', '.join(missing)}",
            f"./bench.py config{arch.option} > bench.config; scripts/kconfig/merge_config.sh .config bench.config",
        )
