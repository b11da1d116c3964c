# SPDX-License-Identifier: GPL-2.0-only
"""A block of results in cover letters and commit messages: pure text, and what git and b4 make of it."""

import email
import email.policy
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bench.errors import BadInput, PermissionDenied
from bench.report import letters

ROOT = Path(__file__).resolve().parents[2]
B4 = shutil.which("b4", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine")
needs_b4 = pytest.mark.skipif(B4 is None, reason="no b4 on this machine")

# Whatever git or b4 would take for the start of a patch, a comment, a signature or a trailer, were it not indented.
TEXT = """\
  One interval, 4 GiB anon, 4K pages, 10% dirty; us, lower is better
  median +- 95% CI, 20 runs each (10 boots x 2), interleaved, seed 42 ..

  case                      base       patched   change      p
  ----------------------------------------------------------------------
  scan get          1822.4 +- 1%  1431.0 +- 1%   -21.5%  0.000 [1.2, 3]
  clear_refs+read   9120.5 +- 1%  9118.9 +- 1%        ~  0.871 [4.5, 6]
  ----------------------------------------------------------------------
  geomean                                         -8.2%
  (change = new/old - 1; ~ = not significant, Mann-Whitney, 0.05)

  # 100% of %s, $cover, ${shortlog}, \\n and "quotes" stay as they are
  ---
  --- a/mm/memory.c
  diff --git a/mm/memory.c b/mm/memory.c
  Index: mm/memory.c
  -- >8 --
  > From here on
  *** BLURB HERE ***

  Machine: Intel(R) Xeon(R), 4 cores, 16 GiB, bare metal
  Kernel:  6.18.0-rc1 against 6.18.0-rc1-patched
  Repeat:  ./bench.py run --suite quick --where vm --kernel debian:6.12 \\
    --processes 20 --values 3 --seed 42"""
BLOCK = letters.wrap(TEXT)
OTHER = letters.wrap("  other results")
SIGNED = "Signed-off-by: A U Thor <a@example.org>"

HEADER = """\
From 997ac70b3acb25e81ef2272b3b53bbf1043a1e32 Mon Sep 17 00:00:00 2001
From: A U Thor <a@example.org>
Date: Mon, 23 Nov 2026 12:23:41 +0000
Subject: [PATCH 0/2] mm: two changes

"""
LETTER = (
    HEADER
    + """\
HERE

A U Thor (1):
  mm: one

Other Author (1):
  mm: two, with a title so long that git wraps it and goes on below, on
    a line of its own

 mm/one.c | 2 ++
 1 file changed, 2 insertions(+)


base-commit: e33e1861c51e769dc3d98726dc2b0a7ff023e016
--\x20
2.39.5

"""
)
PATCH = HEADER + "Body.\n\n{}---\n mm/one.c | 2 ++\n\ndiff --git a/mm/one.c b/mm/one.c\n"
BOTH = "Both (2):\n  a\n  b\n\n  pages | us\n\nText."  # much like a shortlog
COMMENTS = """\
# Please enter the commit message for your changes. Lines starting
# with '#' will be ignored, and an empty message aborts the commit.
#
# On branch master
"""
SCISSORS = """\
# ------------------------ >8 ------------------------
# Do not modify or remove the line above.
diff --git a/f b/f
--- a/f
+++ b/f
"""
B4_COVER = "EDITME: cover title for topic\n\n# Describe the purpose of this series.\n\n# Lines starting with # go.\n\n"


def test_the_block_is_between_readable_lines():
    lines = BLOCK.splitlines()
    assert (lines[0], lines[1], lines[-2], lines[-1]) == ("Benchmark results", "", "", "(end of results)")
    assert "\n".join(lines[2:-2]) == TEXT
    assert letters.wrap("\n\n  a  \r\n\n\n \n  b\n\n") == "Benchmark results\n\n  a\n\n  b\n\n(end of results)\n"


def where(letter):
    """What insert() puts before and after the block; checks that nothing else changed."""
    new = letters.insert(letter, BLOCK)
    before, after = new.split(BLOCK)
    assert (before + after).replace("\n", "") == letter.replace("\n", "")
    assert letters.insert(new, BLOCK) == new
    return before, after


@pytest.mark.parametrize(
    ("letter", "before", "after"),
    [
        ("", "", ""),
        ("\n", "\n", ""),
        ("Text", "Text\n\n", ""),
        ("Text\n", "Text\n\n", ""),
        ("Text\n\n", "Text\n\n", ""),
        (f"mm: one\n\n{SIGNED}\n", "mm: one\n\n", f"\n{SIGNED}\n"),
        (f"mm: one\n\n\n{SIGNED}", "mm: one\n\n\n", f"\n{SIGNED}"),
        (f"mm: one\n\nFixes: 12ab (x)\nCc: a@b.c\n  # 6.1\n[me: y]\n{SIGNED}\n", "mm: one\n\n", ...),
        ("mm: speed up\n", "mm: speed up\n\n", ""),
        ("sched-ext: one\n", "sched-ext: one\n\n", ""),
        ("mm: one\n\nNote: it is fast.\n", "mm: one\n\nNote: it is fast.\n\n", ""),
        (f"mm: one\n\nText.\n{SIGNED}\n", f"mm: one\n\nText.\n{SIGNED}\n\n", ""),
        (f"\n{COMMENTS}", "\n", f"\n{COMMENTS}"),
        (f"mm: one\n\n{COMMENTS}", "mm: one\n\n", ...),
        (f"mm: one\n{COMMENTS}", "mm: one\n\n", ...),
        (f"mm: one\n\n{SIGNED}\n\n{COMMENTS}", "mm: one\n\n", ...),
        (f"mm: one\n\n{SIGNED}\n\n{COMMENTS}{SCISSORS}", "mm: one\n\n", ...),
        (f"mm: one\n\n{SIGNED}\n\n{SCISSORS}".replace("#", ";"), "mm: one\n\n", ...),
        (f"mm: one\n\n{COMMENTS}".replace("#", ";"), "mm: one\n\n", ...),
        (f"mm: one\n\n{COMMENTS}".replace("#", "//"), "mm: one\n\n", ...),
        ("mm: one\n\n| a | b |\n", "mm: one\n\n| a | b |\n\n", ""),
        ("mm: one\n\n# Title\n\nText.\n", "mm: one\n\n# Title\n\nText.\n\n", ""),
        (f"{B4_COVER}{SIGNED}", B4_COVER, f"\n{SIGNED}"),
        (B4_COVER, "EDITME: cover title for topic\n\n", ...),
        (f"T\n\nText.\n\nTo: a@b.c\n{SIGNED}\n\n---\nChanges in v2:\n- x\n\nchange-id: 1-2\n", "T\n\nText.\n\n", ...),
        ("T\n\nText.\n\n---\nbase-commit: 1234\nchange-id: 1-2\n", "T\n\nText.\n\n", ...),
        ("T\n\nText.\n\n--- b4-submit-tracking ---\n# Section\n{}\n", "T\n\nText.\n\n", ...),
        ("T\n\nText.\n-- \nMe\n", "T\n\nText.\n\n", "\n-- \nMe\n"),
        (PATCH.format(""), HEADER + "Body.\n\n", ...),
        (PATCH.format(SIGNED + "\n"), HEADER + "Body.\n\n", ...),
        (PATCH.format("").replace("---\n mm/one.c | 2 ++\n\n", ""), HEADER + "Body.\n\n", ...),
        (PATCH.format("").replace("Body.\n\n", ""), HEADER, ...),
        (LETTER.replace("HERE", "*** BLURB HERE ***"), HEADER + "*** BLURB HERE ***\n\n", ...),
        (LETTER.replace("HERE", "Text."), HEADER + "Text.\n\n", ...),
        (LETTER.replace("HERE", f"Text.\n\n{SIGNED}"), HEADER + "Text.\n\n", ...),
        (LETTER.replace("HERE", BOTH), HEADER + BOTH + "\n\n", ...),
    ],
)
def test_it_goes_where_a_person_would_put_it(letter, before, after):
    found = where(letter)
    assert found == (before, found[1] if after is ... else after)
    if after is ...:
        assert found[1].startswith("\n")
        assert letter.endswith(found[1][1:])


@pytest.mark.parametrize(
    ("letter", "says"),
    [
        (f"{letters.START}\n\n  text\n", "without a line '(end of results)'"),
        (f"text\n{letters.END}\n", "without a line 'Benchmark results'"),
        (f"{letters.END}\n\n{letters.START}\n", "comes before"),
        (BLOCK + "\n" + BLOCK, "more than one line 'Benchmark results'"),
        (BLOCK + "\n" + letters.END, "more than one line '(end of results)'"),
    ],
)
def test_unclear_markers_are_refused(letter, says, tmp_path):
    path = tmp_path / "letter"
    path.write_text(letter)
    for attempt in (lambda: letters.insert(letter, BLOCK), lambda: letters.edit(path, BLOCK)):
        with pytest.raises(BadInput) as refused:
            attempt()
        assert says in str(refused.value)
        assert refused.value.hint
    assert path.read_text() == letter


@pytest.mark.parametrize(
    "letter", ["  Benchmark results\n", "> (end of results)\n", "Benchmark results:\n", "See Benchmark results\n"]
)
def test_only_a_line_of_its_own_is_a_marker(letter):
    assert where(letter) == (letter + "\n", "")


def test_a_mailers_trailing_spaces_do_not_hide_markers():
    letter = f"a\n{letters.START} \n old\n{letters.END}\t\nb\n"
    assert letters.insert(letter, OTHER) == f"a\n{OTHER[:-1]}\t\nb\n"


LINES = st.sampled_from(
    [
        *("", " ", "#", "# '#'", "; ';'", ";", "---", "-- ", "diff --git a b", "*** BLURB HERE ***", "A (1):", "  one"),
        *(" f | 2 +", " 1 file changed, 1 insertion(+)", SIGNED, "Cc: a", "mm: one", "Text.", "\udcff", "\r", "\x0c#"),
        *(letters.START, letters.END, "# ------------------------ >8 ------------------------"),
    ]
) | st.text(st.characters(blacklist_characters="\n"), max_size=8)
LETTERS = st.lists(LINES.flatmap(lambda line: st.sampled_from([line, line + "\n", line + "\n", line + "\r\n"]))).map(
    "".join
)
TEXTS = st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126)).map("  ".__add__)).map("\n".join)


@settings(max_examples=500, deadline=None)
@given(LETTERS, TEXTS, TEXTS)
@example("a\r", "", "  x")
@example("a\r\nb\nc\r", "", "  x\n  y")
@example(BLOCK.replace("\n", "\r\n").strip(), "", "  x")
@example(BLOCK.strip(), "", "  x")
def test_a_second_time_changes_nothing_and_the_rest_is_never_touched(letter, text, other):
    block, other = letters.wrap(text), letters.wrap(other)
    try:
        new = letters.insert(letter, block)
    except BadInput:
        assume(False)
    assert letters.insert(new, block) == new
    assert letters.insert(new, other) == letters.insert(letter, other)
    assert letters.insert(letters.insert(new, other), block) == new
    if not re.search(rf"^{letters.START}[ \t]*\r?$", letter, re.M):
        at = letters.place(letter)
        added = new[at : len(new) - len(letter[at:])]
        assert letter[:at] + added + letter[at:] == new
        assert added.replace("\r", "").strip("\n") + "\n" == block
    else:
        before, after = letter.split(letters.START)[0], letter.split(letters.END)[-1]
        assert new.startswith(before)
        assert new.endswith(after)


def put(path, data):
    path.write_bytes(data)
    return path


def test_a_file_that_is_right_is_not_written(tmp_path):
    path = put(tmp_path / "letter", b"Text.\n")
    assert letters.edit(path, BLOCK)
    before = path.stat()
    assert not letters.edit(path, BLOCK)
    assert path.stat() == before
    assert letters.edit(path, OTHER)
    assert path.read_text() == "Text.\n\n" + OTHER
    assert os.listdir(tmp_path) == ["letter"]


def test_an_empty_file_gets_the_block(tmp_path):
    assert letters.edit(put(tmp_path / "letter", b""), BLOCK)
    assert (tmp_path / "letter").read_text() == BLOCK


def test_line_endings_are_the_files(tmp_path):
    path = put(tmp_path / "letter", LETTER.replace("HERE", "Text.").replace("\n", "\r\n").encode())
    assert letters.edit(path, BLOCK)
    data = path.read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n")
    assert data.replace(b"\r\n", b"\n").decode() == letters.insert(LETTER.replace("HERE", "Text."), BLOCK)
    assert not letters.edit(path, BLOCK)


def test_bytes_that_are_no_utf8_stay(tmp_path):
    letter = LETTER.replace("HERE", "Grüße").encode("latin-1") + "µ".encode()
    path = put(tmp_path / "letter", letter)
    assert letters.edit(path, BLOCK)
    before, after = path.read_bytes().split(BLOCK.encode() + b"\n")
    assert before + after == letter


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666, 0o755])
def test_permissions_and_owner_stay(tmp_path, mode):
    path = put(tmp_path / "letter", b"")
    path.chmod(mode)
    if os.geteuid() == 0:
        os.chown(path, 12345, 54321)
    before = path.stat()
    assert letters.edit(path, BLOCK)
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_a_symbolic_link_stays_one(tmp_path):
    (tmp_path / "there").mkdir()
    path = put(tmp_path / "there/letter", b"")
    link = tmp_path / "link"
    link.symlink_to("there/letter")
    assert letters.edit(link, BLOCK)
    assert link.is_symlink()
    assert path.read_text() == BLOCK
    assert not letters.edit(link, BLOCK)


def test_what_is_no_text_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("nowhere")
    put(tmp_path / "binary", b"\x7fELF\0\0")
    for name, says in (
        ("missing", "does not exist"),
        ("dangling", "does not exist"),
        (".", "is not a file"),
        ("pipe", "is not a file"),
        ("binary", "not a text file"),
    ):
        with pytest.raises(BadInput, match=says) as refused:
            letters.edit(tmp_path / name, BLOCK)
        assert refused.value.hint


def test_where_nothing_can_be_written_it_says_so(tmp_path, monkeypatch):
    path = put(tmp_path / "letter", b"Text.\n")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(PermissionDenied, match="No space left on device") as refused:
        letters.edit(path, BLOCK)
    assert "--into" in refused.value.hint
    assert os.listdir(tmp_path) == ["letter"]
    assert path.read_bytes() == b"Text.\n"


@pytest.mark.parametrize(("folder_mode", "mode"), [(0o777, 0o444), (0o555, 0o666), (0o600, 0o666)])
def test_a_read_only_file_or_folder_is_respected(folder_mode, mode):
    code = (
        "import os, sys; from bench.report import letters; from pathlib import Path; os.geteuid() or os.setuid(65534)\n"
    )
    code += "try: letters.edit(Path(sys.argv[1]), letters.wrap(''))\nexcept letters.PermissionDenied as e: print(e)"
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is for root only, if it is root's
        path = put(Path(folder) / "letter", b"Text.\n")
        path.chmod(mode)
        Path(folder).chmod(folder_mode)
        done = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True)
        Path(folder).chmod(0o755)
        assert done.stdout == f"{path} can't be edited: Permission denied\n", done.stderr
        assert os.listdir(folder) == ["letter"]


# What git and b4 make of it.


class Repository:
    """A repository of its own, with two commits on `topic`, in which no configuration of the user's matters."""

    def __init__(self, folder):
        self.folder = folder / "repository"
        self.folder.mkdir()
        self.block = folder / "block"
        self.env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)}
        self.env |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": str(folder / "gitconfig")}
        self.env |= {f"XDG_{kind}_HOME": str(folder / kind) for kind in ("CONFIG", "DATA", "CACHE", "STATE")}
        self.env |= {f"GIT_{who}_{what}": is_ for who in ("AUTHOR", "COMMITTER") for what, is_ in IDENTITY.items()}
        (folder / "gitconfig").write_text("[user]\n\tname = A U Thor\n\temail = a@example.org\n")
        code = "import sys; from pathlib import Path; from bench.report import letters; "
        code += "print(letters.edit(Path(sys.argv[2]), Path(sys.argv[1]).read_text()))"
        self.editor = shlex.join([sys.executable, "-c", code, str(self.block)])
        self.results(BLOCK)
        self("git", "init", "-q", "-b", "master")
        self.commit("init")

    def __call__(self, *words, editor="false", status=0, **options):
        env = {**self.env, "GIT_EDITOR": editor, "EDITOR": editor}  # b4 0.14 knew only EDITOR and core.editor
        done = subprocess.run(
            [*map(str, words)], cwd=self.folder, env=env, capture_output=True, text=True, timeout=120, **options
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def results(self, block):
        self.block.write_text(block)

    def commit(self, *messages, **options):
        with (self.folder / "file").open("a") as file:
            file.write(f"{messages}\n")
        self("git", "add", "file")
        return self("git", "commit", *(word for one in messages for word in ("-m", one)), **options)

    def topic(self, count=2):
        self("git", "checkout", "-q", "-b", "topic")
        for i in range(count):
            self.commit(f"file: change {i}", "Why.", SIGNED)

    def message(self):
        return self("git", "log", "-1", "--format=%B").rstrip("\n") + "\n"

    def mailinfo(self, path):
        """What `git am` would take for the message of a mail, and for its patch."""
        with path.open() as mail:
            self("git", "mailinfo", "../message", "../patch", stdin=mail)
        return (self.folder / "../message").read_text(), (self.folder / "../patch").read_text()

    def apply(self, *patches):
        self("git", "checkout", "-q", "-B", "applied", "master")
        self("git", "am", "-q", *patches)


IDENTITY = {"NAME": "A U Thor", "EMAIL": "a@example.org", "DATE": "2026-11-23T12:00:00+00:00"}


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path)


@needs_git
@pytest.mark.parametrize("text", [TEXT, "", "\n\n  a \t\n\n\n\n  b\r\n\n"])
def test_git_finds_nothing_to_clean(repository, text):
    block = letters.wrap(text)
    assert repository("git", "stripspace", "--strip-comments", input=block) == block
    letter = letters.insert(f"mm: one\n\nText.\n\n{SIGNED}\n", block)
    assert repository("git", "stripspace", "--strip-comments", input=letter) == letter


@needs_git
@pytest.mark.parametrize("options", [[], ["--base=master", "--signature=me"], ["-v2", "--range-diff=master..topic~1"]])
def test_format_patch_cover_letter(repository, tmp_path, options):
    repository.topic()
    files = repository("git", "format-patch", "--cover-letter", "-o", tmp_path / "out", *options, "master").split()
    letter, *patches = map(Path, files)
    old = letter.read_text()
    assert letters.edit(letter, BLOCK)
    assert not letters.edit(letter, BLOCK)
    new = letter.read_text()
    assert new.replace(BLOCK + "\n", "") == old
    assert f"*** BLURB HERE ***\n\n{BLOCK}\nA U Thor (2):\n" in new
    assert BLOCK in repository.mailinfo(letter)[0]
    assert letters.edit(letter, OTHER)
    assert letter.read_text() == new.replace(BLOCK, OTHER)
    letter.write_text(old.replace("\n*** BLURB HERE ***", "\nText."))  # a person wrote first
    assert letters.edit(letter, BLOCK)
    assert letter.read_text() == new.replace("\n*** BLURB HERE ***", "\nText.")
    repository.apply(*patches)
    assert repository("git", "diff", "topic") == ""


@needs_git
@pytest.mark.parametrize("comment", ["#", ";"])
@pytest.mark.parametrize("description", ["", "mm: a title\n\nText.\n"])
def test_branch_description(repository, tmp_path, description, comment):
    repository.topic()
    repository("git", "config", "core.commentChar", comment)
    if description:
        repository("git", "config", "branch.topic.description", description)
    assert repository("git", "branch", "--edit-description", editor=repository.editor) == "True\n"
    stored = repository("git", "config", "branch.topic.description")
    assert stored == description + "\n" * bool(description) + BLOCK + "\n"
    assert repository("git", "branch", "--edit-description", editor=repository.editor) == "False\n"
    assert repository("git", "config", "branch.topic.description") == stored
    mode = "auto" if description else "message"  # of a lone block, auto would make a subject of its first line
    words = ["format-patch", "--cover-letter", f"--cover-from-description={mode}", "-o", tmp_path / "out", "master"]
    letter = Path(repository("git", *words).split()[0])
    assert f"\n\n{BLOCK}\nA U Thor (2):\n" in letter.read_text()
    assert ("Subject: [PATCH 0/2] mm: a title" in letter.read_text()) == bool(description)
    assert BLOCK in repository.mailinfo(letter)[0]
    assert not letters.edit(letter, BLOCK)


@needs_git
@pytest.mark.parametrize("signed", [[], ["-s"]])
@pytest.mark.parametrize("cleanup", ["strip", "scissors"])
@pytest.mark.parametrize("verbose", [[], ["-v"]])
def test_a_commit_message_keeps_the_block_from_commit_to_am(repository, tmp_path, signed, cleanup, verbose):
    repository.topic(0)
    (repository.folder / "file").write_text("changed\n")
    words = ["git", "commit", "-q", "-a", "-e", f"--cleanup={cleanup}", *signed, *verbose]
    repository(*words, "-m", "file: change", "-m", "Why.", editor=repository.editor)
    message = repository.message()
    assert message == "file: change\n\nWhy.\n\n" + BLOCK + f"\n{SIGNED}\n" * bool(signed)
    assert "False" in repository(*words, "--amend", editor=repository.editor)
    assert repository.message() == message
    (patch,) = map(Path, repository("git", "format-patch", "-o", tmp_path / "out", "-1").split())
    assert not letters.edit(patch, BLOCK)
    repository.apply(patch)
    assert repository.message() == message
    assert repository("git", "diff", "topic") == ""
    repository.results(OTHER)
    repository(*words, "--amend", editor=repository.editor)
    assert repository.message() == message.replace(BLOCK, OTHER)


@needs_git
@pytest.mark.parametrize("body", [[], ["Why."], ["Why.", SIGNED], [SIGNED]])
@pytest.mark.parametrize("options", [[], ["--no-stat"]])
def test_the_patch_file_of_a_one_patch_series(repository, tmp_path, body, options):
    repository.topic(0)
    repository.commit("file: change", *body)
    (patch,) = map(Path, repository("git", "format-patch", "-o", tmp_path / "out", *options, "-1").split())
    assert letters.edit(patch, BLOCK)
    assert not letters.edit(patch, BLOCK)
    repository.apply(patch)
    rest = [text for text in body if text != SIGNED]
    expected = ["file: change", *rest, BLOCK.strip(), *(text for text in body if text == SIGNED)]
    assert repository.message() == "\n\n".join(expected) + "\n"
    assert repository("git", "diff", "topic") == ""


def body_of(path):
    """The mail's text, decoded, as its reader sees it."""
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    return mail.get_payload(decode=True).decode()


@pytest.fixture
def prepared(repository):
    """A series of b4's, with as many patches as asked for."""

    def prepare(count, strategy="commit"):
        repository("git", "config", "b4.prep-cover-strategy", strategy)
        repository(B4, "-n", "prep", "-n", "topic", "-f", "master")
        for i in range(count):
            repository.commit(f"file: change {i}", "Why.", SIGNED)
        return repository

    return prepare


def mails(repository, folder):
    """What b4 would send, and what it writes as patches: each as its first mail."""
    repository(B4, "-n", "send", "--no-sign", "--to", "x@example.org", "-o", folder / "sent")
    repository(B4, "-n", "prep", "--format-patch", folder / "patches")
    return [body_of(min(path.iterdir())) for path in (folder / "sent", folder / "patches")]


def b4_cover(repository, editor="false"):
    """What `b4 prep --edit-cover` gives to its editor, after the editor had it."""
    copy = repository.folder / "../seen"
    script = repository.folder / "../copy.sh"
    script.write_text(f'{editor} "$1"\ncp "$1" {shlex.quote(str(copy))}\n')
    repository(B4, "-n", "prep", "--edit-cover", editor=f"sh {shlex.quote(str(script))}")
    return copy.read_text()


@needs_git
@needs_b4
@pytest.mark.parametrize(("count", "strategy"), [(1, "commit"), (2, "commit"), (2, "branch-description")])
def test_b4_sends_every_line(prepared, tmp_path, count, strategy):
    repository = prepared(count, strategy)
    old = b4_cover(repository)
    assert "EDITME" in old
    assert "\n# Lines starting with #" in old
    assert repository(B4, "-n", "prep", "--edit-cover", editor=repository.editor).startswith("True\n")
    head = repository("git", "rev-parse", "HEAD")
    assert repository(B4, "-n", "prep", "--edit-cover", editor=repository.editor).startswith("False\n")
    assert repository("git", "rev-parse", "HEAD") == head
    assert b4_cover(repository) == old.replace(SIGNED, BLOCK + "\n" + SIGNED)
    for body in mails(repository, tmp_path):
        assert BLOCK in body
        assert body.index(BLOCK) < body.index("change-id: ")
        assert (body.index(SIGNED) < body.index(BLOCK)) == (count == 1)  # of one patch b4 puts the cover below the cut
    repository.results(OTHER)
    assert repository(B4, "-n", "prep", "--edit-cover", editor=repository.editor).startswith("True\n")
    assert b4_cover(repository) == old.replace(SIGNED, OTHER + "\n" + SIGNED)


@needs_git
@needs_b4
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    ("trailers", "changes"),
    [
        ("", ""),
        (
            f"To: Some One <some@example.org>\nCc: list@example.org\n{SIGNED}\n\n",
            "---\nChanges in v2:\n- EDITME: new\n- Link to v1: https://example.org/1\n",
        ),
    ],
    ids=["alone", "with trailers and changes"],
)
def test_b4_cover_that_a_person_wrote(prepared, tmp_path, count, trailers, changes):
    """Without trailers the block is the last paragraph, where b4 looks for them, even indented ones."""
    repository = prepared(count)
    (tmp_path / "cover").write_text(f"mm: a title\n\nText.\n\n{trailers}{changes}")
    repository(B4, "-n", "prep", "--edit-cover", editor=f"cp {shlex.quote(str(tmp_path / 'cover'))}")
    old = b4_cover(repository)
    assert repository(B4, "-n", "prep", "--edit-cover", editor=repository.editor).startswith("True\n")
    assert repository(B4, "-n", "prep", "--edit-cover", editor=repository.editor).startswith("False\n")
    new = b4_cover(repository)
    assert f"Text.\n\n{BLOCK.strip()}" in new
    assert re.sub(r"\s+", "", new.replace(BLOCK.strip(), "")) == re.sub(r"\s+", "", old)
    for body in mails(repository, tmp_path):
        assert f"Text.\n\n{BLOCK}" in body
        assert ("Link to v1" in body) == bool(changes)


@needs_git
@needs_b4
def test_b4_one_patch_with_the_block_in_its_message(prepared, tmp_path):
    repository = prepared(1)
    repository("git", "commit", "-q", "--amend", editor=repository.editor)
    message = repository.message()
    assert BLOCK in message
    for body in mails(repository, tmp_path):
        assert f"Why.\n\n{BLOCK}\n{SIGNED}\n---\n" in body
    repository.apply(*(tmp_path / "patches").iterdir())
    assert repository.message() == message
