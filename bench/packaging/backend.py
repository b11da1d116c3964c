# SPDX-License-Identifier: GPL-2.0-only
"""Makes the wheel and the archive of sources that pip and pipx ask for (PEP 517, 427): pyproject.toml names this.

The suite is a tree, whose parts find each other by their places in it, and whose names (bench, plots) are too common
for everybody's site-packages. So a wheel has the whole tree in one package, pagemap_bench, and a command. The core is
compiled for the Python that builds it; QEMU's plugin is at first use, for the QEMU that is there.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import sysconfig
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

from bench import place
from bench.packaging import stage

_PACKAGE = "pagemap_bench"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same sources give the same file


def build_wheel(folder: str, settings: Any = None, metadata: str | None = None) -> str:
    """Make a wheel in `folder` and return its name. Raises BuildFailed."""
    name = f"{_PACKAGE}-{place.version().python}"
    tag = _tag()
    with tempfile.TemporaryDirectory(prefix="pagemap-bench-") as scratch:
        root = Path(scratch)
        stage.tree(root / _PACKAGE)
        shutil.copy(place.ROOT / "bench/packaging/entry.py", root / _PACKAGE / "__init__.py")
        stage.share(root / f"{name}.data/data/share")
        about = root / f"{name}.dist-info"
        (about / "licenses").mkdir(parents=True)
        shutil.copy(place.ROOT / "LICENSE", about / "licenses")
        (about / "METADATA").write_text(_metadata(), encoding="utf-8")
        (about / "WHEEL").write_text(
            f"Wheel-Version: 1.0\nGenerator: {place.COMMAND}\nRoot-Is-Purelib: false\nTag: {tag}\n"
        )
        (about / "entry_points.txt").write_text(f"[console_scripts]\n{place.COMMAND} = {_PACKAGE}:main\n")
        _pack(root, Path(folder) / f"{name}-{tag}.whl", f"{about.name}/RECORD")
    return f"{name}-{tag}.whl"


def build_sdist(folder: str, settings: Any = None) -> str:
    """Make an archive of what a wheel can be built from in `folder`, and return its name."""
    name = f"{_PACKAGE}-{place.version().python}"
    with tempfile.TemporaryDirectory(prefix="pagemap-bench-") as scratch:
        stage.copy(stage.sources(), Path(scratch))
        (Path(scratch) / "PKG-INFO").write_text(_metadata(), encoding="utf-8")
        (Path(scratch) / place.STAMP).write_text(place.stamp(), encoding="utf-8")
        with tarfile.open(Path(folder) / f"{name}.tar.gz", "w:gz") as archive:
            archive.add(scratch, name)
    return f"{name}.tar.gz"


def dependencies() -> list[str]:
    """Return the distributions that a run imports, as requirements.in names them."""
    lines = (place.ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    return [name for line in lines if (name := line.partition("#")[0].strip())]


def _metadata() -> str:
    project = tomllib.loads((place.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return "".join(
        (
            "Metadata-Version: 2.4\n",
            f"Name: {project['name']}\n",
            f"Version: {place.version().python}\n",
            f"Summary: {project['description']}\n",
            f"License-Expression: {project['license']}\n",
            "License-File: LICENSE\n",
            f"Requires-Python: {project['requires-python']}\n",
            *(f"Requires-Dist: {name}\n" for name in dependencies()),
            "Description-Content-Type: text/markdown\n\n",
            (place.ROOT / "README.md").read_text(encoding="utf-8"),
        )
    )


def _tag() -> str:
    """Return what a wheel with a compiled core is for: this Python, on this kind of machine."""
    kind, version = str(sysconfig.get_config_var("SOABI")).split("-")[:2]
    abi = f"{'cp' if kind == 'cpython' else kind}{version}"
    return f"{abi.rstrip('dt')}-{abi}-{re.sub('[-.]', '_', sysconfig.get_platform())}"


def _pack(root: Path, wheel: Path, record: str) -> None:
    """Write all files below `root` into a wheel, and at its end the record of them."""
    lines = []
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(one for one in root.rglob("*") if one.is_file()):
            data, name = path.read_bytes(), str(path.relative_to(root))
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(data)}\n")
            _add(archive, name, data, executable=name.endswith((".so", "/bench.py")))
        _add(archive, record, "".join([*lines, f"{record},,\n"]).encode())


def _add(archive: zipfile.ZipFile, name: str, data: bytes, *, executable: bool = False) -> None:
    about = zipfile.ZipInfo(name, _LONG_AGO)
    about.compress_type = zipfile.ZIP_DEFLATED
    about.external_attr = (0o100755 if executable else 0o100644) << 16
    archive.writestr(about, data)
