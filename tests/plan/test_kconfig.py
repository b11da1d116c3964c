# SPDX-License-Identifier: GPL-2.0-only
"""The configuration that a kernel needs, and what one lacks."""

import pytest

from bench.plan import kconfig
from bench.plan.interfaces import INTERFACES


def options(text):
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_the_fragment_says_each_option_once_and_lacks_nothing_itself():
    text = kconfig.fragment(kconfig.of_interfaces([]))
    found = options(text)
    assert len(found) == len(set(found)) > 20
    needed = [
        *kconfig.BOOT,
        *kconfig.MEMORY,
        *kconfig.RECORD,
        *(one for row in INTERFACES.values() for one in row.options),
    ]
    assert not kconfig.lacking(text, needed)
    assert set(found) == {kconfig.line(one) for one in needed}


def test_an_interface_adds_what_it_needs_and_no_more():
    none = options(kconfig.fragment([]))
    for row in kconfig.of_interfaces([]):
        more = options(kconfig.fragment([row]))
        assert {*more} - {*none} == {kconfig.line(one) for one in row.options} - {*none}


def test_the_baseline_needs_nothing_and_is_not_listed():
    rows = kconfig.of_interfaces(INTERFACES)
    assert rows == kconfig.of_interfaces([]) == [row for row in INTERFACES.values() if row.tracks]


@pytest.mark.parametrize(
    ("config", "lacks"),
    [
        ("CONFIG_A=y\nCONFIG_N=2\n", []),
        ("CONFIG_A=y\nCONFIG_N=32\n", []),
        ("CONFIG_A=m\nCONFIG_N=1\n", ["CONFIG_A=y", "CONFIG_N=2"]),
        ("# CONFIG_A is not set\nCONFIG_AA=y\nCONFIG_N=y\n", ["CONFIG_A=y", "CONFIG_N=2"]),
        ("#CONFIG_A=y\n CONFIG_N=2\n", ["CONFIG_A=y", "CONFIG_N=2"]),
        ('CONFIG_A="y"\nCONFIG_N=2\nCONFIG_N=1\n', ["CONFIG_A=y", "CONFIG_N=2"]),
    ],
)
def test_lacking_is_what_is_not_built_in_or_too_small(config, lacks):
    assert kconfig.lacking(config, ["A", "N=2"]) == lacks
