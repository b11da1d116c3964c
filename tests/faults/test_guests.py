# SPDX-License-Identifier: GPL-2.0-only
"""Guests that lie, babble, hang or die: whatever comes out of one, the run ends in time and says what was wrong."""

import pytest

from tests.faults.support import survived

CONSOLE = 16 << 20  # bytes of a console that are kept, of 54 MiB


def job_of(answer):
    """A guest that answers its first job so."""
    return f"begin(); one = job(); {answer}; work(); end()"


# What these do besides is odd, but their answers are honest: they are measured.
HONEST = {
    "honest": "begin(); work(); end()",
    "odd bytes before the hello": "raw(b'\\xff\\xff'); begin(); work(); end()",
    "lines before the hello": "raw(b'\\xff\\n\\0\\nSeaBIOS\\n\\xff'); begin(); work(); end()",
    "binary on the console": "begin(); console(bytes(range(256)) * 500); work(); end()",
    "a console line without an end": "begin(); console(b'x' * (1 << 20)); work(); end()",
    "a console of empty lines": "begin(); console(b'\\n' * 100_000); work(); end()",
    "54 MiB on the console": "begin(); console((b'x' * 99 + b'\\n') * 566_231); work(); end()",
    "a console that is closed": "begin(); os.close(1); os.close(2); work(); end()",
    "talks for ever after the end": "begin(); work(); end()\nwhile True: console('still here\\n' * 100)",
    "stays after the end": "import time; begin(); work(); end(); time.sleep(300)",
    "ignores signals, and stays":
        "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 3, 15)]\n"
        "begin(); work(); end(); time.sleep(300)",
    "stops itself after the end": "import signal; begin(); work(); end(); os.kill(os.getpid(), signal.SIGSTOP)",
    "dies after the end": "import signal; begin(); work(); end(); os.kill(os.getpid(), signal.SIGSEGV)",
    "leaves a child of its own":
        "import time\nif not os.fork(): time.sleep(300); os._exit(0)\nbegin(); work(); end()",
    "is slow to say hello": "import time; time.sleep(1.5); begin(); work(); end()",
    "sends byte by byte":
        "whole = raw\ndef raw(data): [whole(data[at:at + 1]) for at in range(len(data))]\nbegin(); work(); end()",
}  # fmt: skip


@pytest.mark.parametrize("guest", HONEST)
def test_what_is_odd_is_borne(lab, guest):
    done = lab.bench(*lab.qemu(HONEST[guest]))
    survived(done, 0)
    assert "scan-wp" in done.stdout
    assert (lab.name() / "guest.log").stat().st_size < CONSOLE + 10_000


def test_scenarios_are_played(lab):
    words = lab.qemu("begin(); work(); end()")
    at = words.index("--pages")
    words[at : at + 6] = ["--suite", "meaning", "--filter", "merge*"]
    survived(lab.bench(*words), 0)


def test_a_flood_is_cut_and_what_is_cut_is_in_the_log(lab):
    script = "begin(); [console(f'[    1.{at:06}] flood {at}\\n') for at in range(5000)]; work(); end()"
    done = lab.bench(*lab.qemu(script))
    said = survived(done, 0)
    assert said.count("] flood ") == 20
    assert said.count("... more lines are in ") == 1
    assert (lab.name() / "guest.log").read_text().count("] flood ") == 5000


ESCAPES = "\\x1b]0;title\\x07\\x1b[2J\\x1b[31m\\x9b5n\\u202e\\r"


@pytest.mark.parametrize(
    ("script", "status"),
    [
        (f"begin(); console('{ESCAPES}red\\n'); work(); end()", 0),
        (f"begin(); job(); console('[ 1.0] Kernel panic - {ESCAPES}\\n')", 3),
        (f"begin(); job(); console('{ESCAPES}'); sys.exit(1)", 3),
        (f"begin(); job(); line('{ESCAPES}'); work(); end()", 3),
        (f"send(init.HELLO, '{ESCAPES}')", 3),
        (job_of(f"answer(one, facts={{{{'cmdline': '{ESCAPES}'}}}})").replace("{{", "{").replace("}}", "}"), None),
    ],
    ids=["console", "panic", "last line", "answer", "hello", "fact"],
)
def test_terminal_escapes_reach_no_terminal_and_no_report(lab, script, status):
    done = lab.bench(*lab.qemu(script))
    survived(done, done.returncode if status is None else status)
    files = [path.read_text(errors="replace") for path in lab.name().glob("*") if path.suffix in (".txt", ".svg")]
    for text in (done.stdout, done.stderr, *files):
        assert not set(text) & {"\x1b", "\x07", "\x9b", "\u202e", "\r"}


# What the error says of each
FAILING = {
    "hello twice": ("begin(); hello(); work(); end()", "a hello that came before: '6.12.1-fake'"),
    "a damaged record": ("begin(); raw(b'00000000 2 Lx\\n')", "came back damaged: broken record: b'00000000 2 Lx'"),
    "noise after the hello": ("begin(); raw(b'\\xff'); work(); end()", "came back damaged: broken record: b'\\xff"),
    "a record lost": ("begin(); checksum = 7; work(); end()", "came back damaged: broken record"),
    "a record of an unknown kind": ("begin(); send(b'X', 'y')", "a record of an unknown kind: 'Xy'"),
    "an empty record": ("begin(); send(b'', '')", "a record of an unknown kind: ''"),
    "an odd status": ("begin(); end('0x0')", "an end with the status '0x0'"),
    "a status of 5,000 digits": ("begin(); end('7' * 5000)", "an end with the status '777"),
    "a record after the end": ("begin(); work(); end(); line('{}')", "a record after the end"),
    "the end twice": ("begin(); work(); end(); end()", "a record after the end"),
    "a hello of a megabyte": ("send(init.HELLO, 'x' * (1 << 20))", "a hello that names no release: 'xxx"),
    "a hello of nothing": ("send(init.HELLO, '')", "a hello that names no release: ''"),
    "no hello, but noise": ("while True: raw(b'noise\\n')", "65536 bytes without a hello: b'noise"),
    "a record without an end": ("begin(); raw(b'x' * (17 << 20))", "a record of more than 16777216 bytes: b'xxx"),
    "more than was asked for":
        ("begin(); checksum = 0\nwhile True: line('x' * (1 << 20))", "broken record"),
    "status 7": ("begin(); end(7)", "the command ended with status 7 in the guest"),
    "a signal's status": ("begin(); job(); end(-9)", "the command ended with status -9 in the guest"),
    "the end before the work": ("begin(); end()", "ended before its work did"),
    "the end instead of a machine": ("hello(); end()", "ended before its work did"),
    "QEMU crashes": ("import signal; os.kill(os.getpid(), signal.SIGSEGV)", "QEMU ended with status -11"),
    "QEMU crashes at work":
        ("import signal; begin(); job(); os.kill(os.getpid(), signal.SIGSEGV)", "QEMU ended with status -11"),
    "QEMU complains":
        ("console('qemu-system-x86_64: no such thing\\n'); sys.exit(1)", "status 1: qemu-system-x86_64: no such thing"),
    "QEMU ends silently": ("pass", "most likely QEMU can't start its kernel"),
    "QEMU ends silently at work": ("begin(); job()", "the guest ended before its command did"),
    "QEMU ends beside a child":
        ("import time\nif not os.fork(): time.sleep(300)\nbegin(); job(); os._exit(3)", "QEMU ended with status 3"),
    "both ports closed":
        ("import time; begin(); job(); os.close(PORT); os.close(1); os.close(2); time.sleep(300)",
         "the guest closed its ports and stayed"),
    "the port closed, and a console that talks":
        ("import time; begin(); job(); os.close(PORT)\nwhile True: console('here\\n'); time.sleep(0.01)",
         "the guest closed its ports and stayed"),
    "a panic": ("begin(); job(); console('[ 1.0] Kernel panic - not syncing: why\\n')", "crashed: [ 1.0] Kernel panic"),
    "an oops":
        ("begin(); job(); console('[ 1.0] Oops: 0002 [#1]\\n[ 1.1] CPU: 0 PID: 7 Comm: python3 Not tainted\\n"
         "[ 1.2] RIP: 0010:do_pagemap_scan+0x1/0x2\\n')",
         "crashed: [ 1.0] Oops: 0002 [#1], in the process python3, in do_pagemap_scan"),
    "a soft lockup":
        ("begin(); job(); console('[ 1.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [python3:7]\\n')",
         "BUG: soft lockup - CPU#0 stuck for 22s! [python3:7], in the process python3"),
    "no root": ("console('[ 1.0] Kernel panic - not syncing: VFS: Unable to mount root fs on x\\n')",
                "CONFIG_BLK_DEV_INITRD=y"),
    "no device files": ("console('bench.vm.init: can\\'t mount devtmpfs on /dev\\n')", "CONFIG_DEVTMPFS=y"),
    "one port": ("console('bench.vm.init: no second serial port (x)\\n')", "CONFIG_SERIAL_8250_RUNTIME_UARTS=2"),
    "no scripts": ("console('[ 1.0] Failed to execute /init (error -8)\\n')", "CONFIG_BINFMT_SCRIPT=y"),
    "no memory": ("console('[ 1.0] Initramfs unpacking failed: write error\\n')", "it has too little memory"),
    "the console on the port for results":
        ("raw(b'[    0.000000] Linux version 6.12\\n')", "CONFIG_SERIAL_8250_RUNTIME_UARTS=2"),
}  # fmt: skip


@pytest.mark.parametrize("guest", FAILING)
def test_what_was_wrong_is_said(lab, guest):
    script, says = FAILING[guest]
    done = lab.bench(*lab.qemu(script), timeout=60)
    said = survived(done, 3, says)
    assert "hint: " in said
    assert len(said) < 10_000


# Records that can't be the answer to what was asked for
LIES = {
    "nothing": "line('')",
    "null": "line('null')",
    "an object": "line('{}')",
    "a deep nest": "line('[' * 100_000)",
    "5,000 digits": "line('7' * 5000)",
    "no text": "line(b'\\xff\\xfe')",
    "another boot": "boot = 3; answer(one); boot = 0",
    "a second machine": "from bench.plan.records import Machine, encode; line(encode(Machine(boot, {}, {})))",
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_is_none_is_refused(lab, lie):
    done = lab.bench(*lab.qemu(job_of(LIES[lie])), timeout=60)
    survived(done, 3, "hint: ")
    assert not (lab.name() / "suite.json").exists()


# What a guest that is only asked which interfaces work may say, and what the command then says of it
PROBED = {
    "honest": ("begin(); heard(); end()", 0, "Linux 6.12.1-fake, x86_64, pages of 4 KiB:"),
    "escapes": (f"begin(facts=dict(kernel_release='{ESCAPES}', architecture='x86_64', page_size=4096)); heard(); end()",
                0, "pages of 4 KiB"),
    "a reason": ("from bench.plan.interfaces import Reason\n"
                 f"begin(unavailable={{'scan-wp': Reason('{ESCAPES}', '')}}); heard(); end()", 0, "no: "),
    "no facts": ("begin(facts={}); heard(); end()", 3, "it does not say its kernel_release"),
    "odd pages": ("begin(facts=dict(kernel_release='6', architecture='x86_64', page_size='lots')); heard(); end()", 3,
                  "page_size is 'lots'"),
    "half a page": ("begin(facts=dict(kernel_release='6', architecture='x86_64', page_size=4096.5))", 3, "4096.5"),
    "pages of another size": ("begin(facts=dict(kernel_release='6', architecture='aarch64', page_size=16384))", 3,
                              "give --arch arm64-16k"),
    "no record": ("hello(); heard(); heard(); line('null')", 3, "the measuring process sent"),
    "no text": ("hello(); heard(); heard(); line(b'\\xff\\xfe')", 3, "the measuring process sent"),
    "something else": ("from bench.plan.interfaces import Reason\n"
                       "begin(unavailable={'x': Reason('a', 'b')}); heard(); end()", 3, "not in the plan"),
    "another boot": ("hello(); heard(); heard(); from bench.plan.records import Machine, encode\n"
                     "line(encode(Machine(7, {}, {})))", 3, "boot 7"),
    "more": ("begin(); heard(); line('{}'); end()", 3, "a record after the last one"),
    "a panic": ("begin(); heard(); console('[ 1.0] Kernel panic - not syncing: why\\n')", 3, "crashed: [ 1.0] Kernel"),
    "the end": ("hello(); end()", 3, "ended before its work did"),
}  # fmt: skip


@pytest.mark.parametrize("guest", PROBED)
def test_a_guest_that_is_probed_is_not_trusted(lab, guest):
    script, status, says = PROBED[guest]
    image = lab.qemu(script)[2]
    done = lab.bench("probe", "--kernel", image, "--accel", "tcg", timeout=60)
    survived(done, status)
    said = done.stdout + done.stderr
    assert says in said
    assert "hint: " in said or not status
    assert "/dev/fd" not in said, "nobody can read that"
    assert not set(said) & {"\x1b", "\x07", "\x9b", "\u202e", "\r"}
