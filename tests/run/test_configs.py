# SPDX-License-Identifier: GPL-2.0-only
"""`./bench.py config`: a fragment to build with, and what a kernel lacks before it is booted."""

import gzip
import subprocess

import pytest

from bench.plan import arches, kconfig
from bench.plan.interfaces import INTERFACES
from tests.support import bench, refused
from tests.vm.images import bzimage

WHOLE = kconfig.fragment(kconfig.of_interfaces([]))


def image(path, config):
    path.write_bytes(bzimage(payload=gzip.compress(b"IKCFG_ST" + gzip.compress(config.encode()))))
    return path


def test_the_fragment_is_printed_for_all_interfaces_or_those_named():
    assert bench("config").stdout == WHOLE
    name, row = next((name, row) for name, row in INTERFACES.items() if row.options)
    assert bench("config", "--interface", name).stdout == kconfig.fragment([row])


def test_a_fragment_for_another_architecture_has_its_ports_and_pages_and_says_what_it_can_not_have():
    said = bench("config", "--arch", "arm64-16k").stdout
    for option in ("SERIAL_AMBA_PL011_CONSOLE", "ARM64_16K_PAGES"):
        assert f"CONFIG_{option}=y\n" in said
    assert "CONFIG_SERIAL_8250_RUNTIME_UARTS" not in said
    assert "# clear_refs: arm64 has no soft-dirty bits" in said
    assert "MEM_SOFT_DIRTY" not in said


def test_what_a_kernel_for_another_architecture_lacks_is_said_and_soft_dirty_is_no_lack(tmp_path):
    whole = kconfig.fragment(kconfig.of_interfaces([]), arches.find("arm64"))
    (tmp_path / ".config").write_text(whole)
    done = bench("config", "--arch", "arm64", "--kernel", tmp_path)
    assert not done.returncode, done.stderr
    assert "clear_refs       arm64 has no soft-dirty bits" in done.stdout
    (tmp_path / ".config").write_text(whole.replace("CONFIG_ARM64_4K_PAGES=y\n", ""))
    done = bench("config", "--arch", "arm64", "--kernel", tmp_path)
    assert done.returncode == 1
    assert "lacks CONFIG_ARM64_4K_PAGES=y" in done.stderr
    assert "./bench.py config --arch arm64 > bench.config" in done.stderr


def test_a_kernel_that_has_everything_is_told_so(tmp_path):
    done = bench("config", "--kernel", image(tmp_path / "bzImage", WHOLE))
    assert not done.returncode
    assert [line.removesuffix("has all").rstrip() for line in done.stdout.splitlines()] == [
        "boot in QEMU",
        *(row.name for row in kconfig.of_interfaces([])),
    ]
    assert done.stdout.count("has all") == len(done.stdout.splitlines())


def test_what_a_kernel_or_an_unbuilt_tree_lacks_is_named_before_it_is_booted(tmp_path):
    row = next(row for row in INTERFACES.values() if row.options)
    option = kconfig.line(row.options[-1])
    without = WHOLE.replace(f"{option}\n", "")
    tree = tmp_path / "linux"
    tree.mkdir()
    (tree / ".config").write_text(without)
    for spec in (image(tmp_path / "bzImage", without), tree, f"{tree}@HEAD"):
        done = bench("config", "--kernel", spec)
        assert done.returncode == 1
        assert f"error: {spec} lacks {option}\n" in done.stderr
        (line,) = [line for line in done.stdout.splitlines() if line.startswith(f"{row.name} ")]
        assert line.endswith(f"lacks {option}")
    names = [one.name for one in kconfig.of_interfaces([]) if row.options[-1] not in one.options]
    assert not bench("config", "--kernel", tree, "--interface", names[0]).returncode


@pytest.mark.parametrize(
    ("make", "says", "status"),
    [
        (lambda path: path.mkdir(), "has no .config", 2),
        (lambda path: path.write_bytes(bzimage()), "does not tell its configuration", 3),
        (lambda path: path.touch(), "is no bzImage", 2),
        (lambda path: subprocess.run(["mkfifo", str(path)], check=True), "is no file", 2),
        (lambda path: None, "can't read the kernel image", 2),
    ],
)
def test_what_tells_no_configuration_is_one_error(tmp_path, make, says, status):
    make(tmp_path / "it")
    assert says in refused("config", "--kernel", tmp_path / "it", status=status)


def test_an_interface_that_there_is_not_is_refused():
    assert "there is no interface 'x'" in refused("config", "--interface", "x")


def test_a_run_is_refused_for_a_kernel_that_can_not_boot_before_it_is_booted(tmp_path):
    kernel = image(tmp_path / "bzImage", WHOLE.replace("CONFIG_BLK_DEV_INITRD=y\n", ""))
    said = refused("run", "--kernel", kernel, "--accel", "tcg", "--name", tmp_path / "result")
    assert "can't be booted here: it lacks CONFIG_BLK_DEV_INITRD=y" in said
    assert not (tmp_path / "result").exists()
