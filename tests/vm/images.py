# SPDX-License-Identifier: GPL-2.0-only
"""Images that look like kernels, and a tree that builds them in a moment."""

import struct
import subprocess

SETUP = 2  # sectors of 512 bytes behind the first one


def bzimage(release="6.12.1", payload=b"", bits=64):
    """The bytes of a bzImage with this release and packed kernel."""
    head = bytearray(512 * (SETUP + 1))
    text = f"{release} (who@where) #1".encode() + b"\0"
    head[0x300 : 0x300 + len(text)] = text
    head[0x1F1] = SETUP
    head[0x202:0x206] = b"HdrS"
    body = payload + bytes(-len(payload) % 16)
    for at, form, value in (
        (0x1F4, "<I", len(body) // 16),
        (0x206, "<H", 0x20F),
        (0x20E, "<H", 0x100),
        (0x236, "<H", bits == 64),
        (0x248, "<I", 0),
        (0x24C, "<I", len(payload)),
    ):
        struct.pack_into(form, head, at, value)
    return bytes(head) + body


# What `make bzImage` does, with one object for each source.
MAKEFILE = """\
O ?= .
objects := $(O)/a.o $(O)/b.o
x86_64_defconfig:
\techo CONFIG_DEFAULT=y > $(O)/.config
olddefconfig:
\t@test -f $(O)/.config
$(O)/%.o: %.c
\techo CC $<
\t@! grep -H -n broken $< | sed 's/$$/ error: no C/' | grep .
\tcp $< $@
bzImage: $(objects)
\tmkdir -p $(O)/arch/x86/boot
\techo 0000000000000000 T start > $(O)/System.map
\t(cat image; cat $(objects); echo "$(LOCALVERSION) $(KBUILD_BUILD_TIMESTAMP)") > $(O)/arch/x86/boot/bzImage
"""


def git(tree, *words):
    """Run git in a tree; return what it says."""
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *words], cwd=tree, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(tree, **sources):
    """Commit new contents of a and b; return the commit."""
    for name, text in sources.items():
        (tree / f"{name}.c").write_text(f"{text}\n")
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--allow-empty", "-m", f"{sources}")
    return git(tree, "rev-parse", "HEAD")


def make_tree(folder, config):
    """A tree with this .config, not built, and a first commit."""
    folder.mkdir()
    git(folder, "init", "--quiet")
    for name, text in (("Makefile", MAKEFILE), (".gitignore", ".config\narch\n*.o\nSystem.map\n"), ("Kbuild", "")):
        (folder / name).write_text(text)
    (folder / "image").write_bytes(bzimage())
    if config:
        (folder / ".config").write_text(config)
    commit(folder, a="one", b="one")
    return folder
