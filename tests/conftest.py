# SPDX-License-Identifier: GPL-2.0-only
"""Options of the test run: which skips are allowed, and results as JSON lines for the host of a guest.

Its end says how long each stage took, and how many faults were provoked and survived.
"""

import json
import shutil
import time

import pytest

from tests import skips


def pytest_addoption(parser):
    parser.addoption(
        "--only-skips", choices=skips.ALLOWED, help="fail tests skipped for another reason: tests/skips.py"
    )
    parser.addoption("--json-lines", action="store_true", help="print each test's outcome as one JSON object a line")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    if hasattr(config.option, "mpl"):  # not in a guest, which draws nothing
        config.option.mpl = True  # else pytest-mpl draws the images and compares nothing
        from hypothesis import settings

        settings.register_profile("busy", deadline=None)  # how long an example takes is the machine's doing
        settings.load_profile("busy")


def pytest_collection_modifyitems(items):
    """Tests that boot guests come last, the longest of them first: what is quick fails first."""
    guest = {False: 0, True: 2}
    items.sort(key=lambda i: 1 if i.get_closest_marker("long") else guest["image" in getattr(i, "fixturenames", ())])


def reason(report):
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    place = item.config.getoption("--only-skips")
    if report.skipped and place and not skips.allowed(place, reason(report)):
        report.outcome, report.longrepr = "failed", f"this must not be skipped here: {reason(report)}"
    if item.config.getoption("--json-lines") and (report.when == "call" or not report.passed):
        text = "" if report.passed else reason(report)
        with item.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print("\n" + json.dumps({"test": item.nodeid, "outcome": report.outcome, "reason": text}), flush=True)


STARTED = time.monotonic()


def stage(test):
    """The folder below tests/ that a test is in, and whether it boots guests: tests/vm."""
    parts = test.partition("::")[0].split("/")
    return "/".join(parts[: 2 if len(parts) > 2 or parts[-1] == "test_guests.py" else 1])


def pytest_terminal_summary(terminalreporter):
    """Seconds of each stage, where there are several, and the faults."""
    spent, faults = {}, {"passed": 0, "failed": 0}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                spent[stage(report.nodeid)] = spent.get(stage(report.nodeid), 0.0) + report.duration
                if report.nodeid.startswith("tests/faults/") and report.outcome in faults:
                    faults[report.outcome] += report.when == "call" or report.outcome == "failed"
    if len(spent) > 1:
        terminalreporter.section("stages")
        for name, seconds in spent.items():
            terminalreporter.write_line(f"{name:20} {seconds:6.0f} s of work")
        terminalreporter.write_line(f"{'all of them':20} {time.monotonic() - STARTED:6.0f} s")
    if provoked := sum(faults.values()):
        terminalreporter.write_line(f"faults: {provoked} provoked, {faults['passed']} survived")


@pytest.fixture(scope="session")
def image():
    """Debian's 6.12 kernel, and a QEMU to boot it with."""
    # Imported here: in a guest these tests' neighbours have no use for it.
    from bench.errors import Unsupported
    from bench.vm import kernel

    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("no qemu-system-x86_64 on this machine")
    try:
        return kernel.find("debian:6.12", echo=print).path
    except Unsupported as error:
        pytest.skip(f"no kernel to boot: {error}")
