# SPDX-License-Identifier: GPL-2.0-only
"""What a guest is given: memory, CPUs, its kernel's and QEMU's arguments; and what is refused before it is booted."""

import os

import pytest

from bench.errors import BadInput, GuestFailed, Unsupported
from bench.plan import kconfig
from bench.plan.grids import make_point
from bench.plan.interfaces import INTERFACES
from bench.run import machines
from bench.vm import counting, kernel, qemu
from tests.run.scripted import PLAN
from tests.vm.images import bzimage

TCG, ICOUNT = (qemu.accelerator(word, None, [], print) for word in ("tcg", "icount"))
CONFIG = kconfig.fragment(kconfig.of_interfaces([]))


@pytest.fixture
def image(tmp_path, monkeypatch):
    def none():
        raise Unsupported("no plugin in this test")

    monkeypatch.setattr(counting, "compiled", none)
    path = tmp_path / "bzImage"
    path.write_bytes(bzimage())
    (tmp_path / "config").write_text(CONFIG)
    return kernel.find(str(path), echo=print)


@pytest.fixture
def booted(monkeypatch):
    """What guests are booted with."""
    calls = []

    class Guest:
        command_line = ""

    def boot(*words, **options):
        calls.append((words, options))
        return Guest()

    monkeypatch.setattr(qemu, "boot", boot)
    return calls


def start(plan, image, accel=TCG):
    return machines.guests(plan, image, accel, print).start(None, print)


def test_a_guest_gets_what_was_asked_for(image, booted):
    plan = PLAN._replace(append="a=b c", memory=900, cpus=3, qemu_args=("-device virtio-rng-pci", "-name 'a b'"))
    start(plan, image)
    (words, options), *_ = booted
    assert words[0] == image.path
    assert options["append"] == "a=b c"
    assert options["memory_mib"] == 900
    assert options["cpus"] == 3
    assert options["more"] == ["-device", "virtio-rng-pci", "-name", "a b"]


def test_without_a_wish_it_gets_what_the_points_need_and_one_cpu_for_one_thread(image, booted):
    start(PLAN, image)
    start(PLAN._replace(points=(make_point("random", 1 << 18, 10, writers=2, concurrent=True),)), image)
    small, large = (options for _, options in booted)
    assert small["memory_mib"] >= machines.THP_MEMORY >> 20
    assert large["memory_mib"] > small["memory_mib"] + 1000
    assert small["cpus"] == 1
    assert large["cpus"] == os.cpu_count()
    assert not small["append"]
    assert not small["more"]


def test_too_little_memory_is_refused_with_what_it_takes(image):
    plan = PLAN._replace(points=(make_point("random", 1 << 18, 10),), memory=600)
    with pytest.raises(BadInput, match=r"--memory 600M is too small: this needs (\d+) MiB") as caught:
        machines.guests(plan, image, TCG, print)
    least = int(str(caught.value).split()[-2])
    machines.guests(plan._replace(memory=least), image, TCG, print)
    with pytest.raises(BadInput, match="is too small"):
        machines.guests(plan._replace(memory=least - 1), image, TCG, print)


def test_memory_that_switches_thp_off_is_remarked(image):
    def said(memory):
        return [
            one for one in machines.guests(PLAN._replace(memory=memory), image, TCG, print).remarks if "huge" in one
        ]

    assert len(said((machines.THP_MEMORY >> 20) - 1)) == 1
    assert not said(machines.THP_MEMORY >> 20)
    assert not said(0)


def test_more_memory_than_there_is_is_refused(image):
    with pytest.raises(BadInput, match="more than is free") as caught:
        machines.guests(PLAN._replace(memory=1 << 23), image, TCG, print)
    assert "--memory" in caught.value.hint


def test_counting_takes_one_cpu_and_says_why(image):
    with pytest.raises(BadInput, match="one CPU after the other"):
        machines.guests(PLAN._replace(cpus=2), image, ICOUNT, print)
    assert machines.guests(PLAN._replace(cpus=1), image, ICOUNT, print).title.endswith(ICOUNT.title)
    machines.guests(PLAN._replace(cpus=2), image, TCG, print)


def test_guests_run_two_at_once_only_where_instructions_are_counted(image, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    assert machines.guests(PLAN, image, ICOUNT, print).at_once == 2
    assert machines.guests(PLAN, image, TCG, print).at_once == 1
    assert machines.guests(PLAN._replace(qemu_args=("-s",)), image, ICOUNT, print).at_once == 1
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3})
    assert machines.guests(PLAN, image, ICOUNT, print).at_once == 1


def test_quotes_that_do_not_end_are_refused(image):
    with pytest.raises(BadInput, match=r"--qemu-arg .* can't be read"):
        machines.guests(PLAN._replace(qemu_args=("-name 'a",)), image, TCG, print)


@pytest.mark.parametrize("option", kconfig.BOOT)
def test_a_kernel_that_can_not_boot_is_refused_with_the_option(image, option):
    without = image.config.replace(f"{kconfig.line(option)}\n", "")
    with pytest.raises(BadInput, match=f"it lacks {kconfig.line(option)}$"):
        machines.guests(PLAN, image._replace(config=without), TCG, print)


def test_what_an_interface_lacks_is_a_remark_and_an_unknown_configuration_is_none(image):
    row = next(row for row in INTERFACES.values() if row.name in PLAN.interfaces and row.options)
    option = kconfig.line(row.options[-1])
    (said,) = machines.guests(PLAN, image._replace(config=CONFIG.replace(f"{option}\n", "")), TCG, print).remarks
    assert said == f"{image.title} lacks {option}, which {row.name} needs."
    for whole in (CONFIG, ""):
        assert not machines.guests(PLAN, image._replace(config=whole), TCG, print).remarks


def test_what_is_known_of_the_image_is_with_the_machines_facts(image, booted):
    site = machines.guests(PLAN, image, TCG, print)
    assert image.facts.items() <= site.facts.items()
    assert site.title == f"{image.title} under TCG"
    image.path.write_bytes(bzimage() + b"built anew")
    with pytest.raises(GuestFailed, match="built anew"):
        site.start(None, print)
    assert not booted
