# SPDX-License-Identifier: GPL-2.0-only
"""The rooms of the project: who may import whom, what readers do without, and where names of interfaces are known."""

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.plan.interfaces import INTERFACES, UNTRACKED

ROOT = Path(__file__).resolve().parents[1]
# Which rooms a room may import from, besides itself and what is in no room. No arrow goes back up.
ARROWS = {
    "plan": set(),
    "core": set(),
    "measure": {"plan", "core"},
    "workloads": {"measure"},
    "vm": {"plan"},
    "store": {"plan"},
    "stats": {"plan", "store"},
    "report": {"plan", "store", "stats"},
    "plots": {"plan", "store", "stats", "report"},
    "run": {"plan", "measure", "vm", "store", "stats", "report", "plots"},
    "bench.py": {"run"},
    "packaging": {"run"},
}
# Modules of bench/ that are in no room, and import from none, but from each other; and those that nobody imports.
ALONE = {"doing", "errors", "files", "harmless", "place", "processes", "reading", "signals"}
TOPS = {"setup"}
READERS = ("plan", "store", "stats", "report", "plots")
PATHS = sorted(
    path.relative_to(ROOT)
    for path in [ROOT / "bench.py", *(p for top in ("bench", "plots", "workloads") for p in (ROOT / top).rglob("*.py"))]
)
TREES = {path: ast.parse((ROOT / path).read_text()) for path in PATHS}


def module_of(path):
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


MODULES = {"bench.py" if path.name == "bench.py" else module_of(path) for path in PATHS}


def room(module):
    """The room that a module is in; of one in no room its own name."""
    first, *rest = module.split(".")
    if module == "bench.py" or first != "bench":
        return module if module == "bench.py" else first
    return rest[0] if rest else ""


def executed(node):
    """The nodes below that Python runs: not what is for type checkers only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from executed(child)


def named(node):
    """What an import statement, or a call of import_module with a plain name, imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert not node.level, "relative imports hide which room they are from"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        return [node.args[0].value] if isinstance(node.args[0], ast.Constant) else []
    return []


def imports(path):
    """Modules of the project that a file imports, wherever in it."""
    for node in executed(TREES[path]):
        for name in named(node):
            if name.split(".")[0] in ("bench", "plots", "workloads"):
                yield name if name in MODULES else name.rpartition(".")[0]


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_no_arrow_goes_back_up(path):
    own = room("bench.py" if path.name == "bench.py" else module_of(path))
    if own in ALONE | TOPS or not own:
        assert {room(name) for name in imports(path)} <= ALONE, f"{path} is under all rooms"
        return
    assert own in ARROWS, f"{path} is in no room: move it into one, or add its folder to ARROWS"
    wrong = {name for name in imports(path) if room(name) not in {own} | ALONE | ARROWS[own]}
    assert not wrong, f"{own} may import from {', '.join(sorted(ARROWS[own])) or 'no other room'} only"


def test_programs_are_started_in_one_place_only():
    """Where each has a limit, and dies with us; but for the first process of a guest, which dies with its guest."""
    allowed = (Path("bench/processes.py"), Path("bench/vm/init.py"))
    starts = re.compile(r"subprocess|_posixsubprocess|pty|multiprocessing|os\.(system|popen|spawn\w*|posix_spawnp?)")
    found = [
        f"{path}:{node.lineno}"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if path not in allowed
        and (
            any(starts.fullmatch(name.split(".")[0]) for name in named(node) if isinstance(node, ast.Import))
            or (isinstance(node, ast.ImportFrom) and starts.fullmatch(node.module.split(".")[0]))
            or (isinstance(node, ast.Attribute) and starts.fullmatch(ast.unparse(node)))
        )
    ]
    assert not found, "use bench.processes"


def test_the_arrows_make_no_circle():
    order = list(graphlib.TopologicalSorter(ARROWS).static_order())
    assert order.index("plan") < order.index("store") < order.index("stats") < order.index("report")
    graph = {module_of(path): set(imports(path)) - {module_of(path)} for path in PATHS if path.name != "bench.py"}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_readers_import_neither_the_core_nor_what_measures():
    """They work where nothing was ever compiled: with these modules out of reach, every one of theirs is imported."""
    mine = [module_of(path) for path in PATHS if room(module_of(path)) in READERS and path.name != "bench.py"]
    assert {room(name) for name in mine} == set(READERS)
    program = f"""
import importlib, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("cffi", "_cffi_backend") or name.startswith(("bench.core", "bench.measure")):
            raise ImportError(f"a reader imports {{name}}")
sys.meta_path.insert(0, Blocked())
for name in {mine!r}:
    importlib.import_module(name)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


# Where else than in its own file and in plan/interfaces.py a name may stand, and why.
EXCEPTIONS = {
    "bench/plan/suites.py": "a suite is a list of what is measured",
    "bench/plan/bystanders.py": "what somebody does is named after the call",
    "bench/plan/selftests.py": "it lists which of ours stands for a check of the kernel's",
}
NAMES = {*INTERFACES, "idle", "all"} - {UNTRACKED}
# A plain word ("mprotect", "all") is a name only where it is the whole string; one with a hyphen is one wherever it is.
KNOWN = re.compile(
    rf"(?:{'|'.join(sorted(map(re.escape, NAMES)))})(?: atomic)?|.*\b(?:{'|'.join(n for n in NAMES if '-' in n)})\b.*",
    re.DOTALL,
)


def strings(tree):
    """String literals that are no prose (docstrings, --help, WHY), parts of f-strings among them: [(line, text)]."""
    prose = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            prose.add(id(node.value))
        if isinstance(node, ast.keyword) and node.arg in ("help", "epilog"):
            prose |= {id(part) for part in ast.walk(node.value)}
        if (
            isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "WHY"
        ):  # explains verdicts, by whose they are
            prose |= {id(part) for part in ast.walk(node.value)}
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    ]


def without_why(tree):
    """A scenario without its WHY, which says whose verdicts it explains; and no LIVES, whose idle is no workload."""
    words = ("WHY", "LIVES")
    kept = [node for node in tree.body if not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in words)]
    return ast.Module(kept, [])


def test_names_of_interfaces_and_of_idle_and_all_are_known_to_their_own_files_only():
    """What an interface can do, and what a workload always writes, is said by flags of its row and constants in it."""
    found = [
        f"{path}:{line}: {text!r}"
        for path, tree in TREES.items()
        if path != Path("bench/plan/interfaces.py") and str(path) not in EXCEPTIONS
        for line, text in strings(without_why(tree))
        if KNOWN.fullmatch(text)
    ]
    assert not found, "use a flag of the interface's row, or catalogue.fraction()"


def test_the_baseline_is_not_asked_for_by_name():
    """Its name means other things too (a way of populating, no colour): here it is looked for in comparisons only."""
    found = [
        f"{path}:{node.lineno}: {ast.unparse(node)}"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and "populate" not in ast.unparse(node)
        if any(isinstance(part, ast.Constant) and part.value == UNTRACKED for part in ast.walk(node))
    ]
    assert not found, "use UNTRACKED, or the row's tracks"


def test_the_core_knows_no_interface_by_name():
    own = ROOT / "bench/core/interfaces"
    files = [path for path in (ROOT / "bench/core").rglob("*.[ch]") if own not in path.parents and path.stem != "_core"]
    assert files
    symbols = "|".join(name.replace("-", "_") for name in INTERFACES)
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files
        for match in re.finditer(rf'\binterface_(?:{symbols})\b|"(?:{"|".join(NAMES)})"', path.read_text())
        if match[0] != '"mprotect"'  # the system call, named where it failed
    ]
    assert not found


@pytest.mark.parametrize("path", EXCEPTIONS)
def test_an_exception_is_still_needed(path):
    assert any(KNOWN.fullmatch(text) for _, text in strings(TREES[Path(path)]))
