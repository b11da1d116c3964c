# SPDX-License-Identifier: GPL-2.0-only
"""Give every target odd inputs for a time: python -m tests.fuzz --seconds 600 --seed 1."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz import running, targets
from tests.support import ROOT

KEPT = ROOT / ".fuzz"


def main():
    """Run the targets, print the table, keep what was found. The exit status is 1 where something was."""
    parser = argparse.ArgumentParser(prog="tests.fuzz")
    parser.add_argument("--seconds", type=float, default=600, help="for all targets")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", action="append", choices=targets.NAMES, help="only this one")
    parser.add_argument("--inputs", type=int, help="of each target, whatever time that takes")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-fuzz-") as folder, targets.lab(Path(folder)) as every:
        chosen = [one for one in every if not wanted.target or one.name in wanted.target]
        share = wanted.seconds / sum(one.weight for one in chosen)
        tallies = []
        for one in chosen:
            time = {"count": wanted.inputs} if wanted.inputs else {"seconds": share * one.weight}
            tallies.append(running.run(one, wanted.seed, first=wanted.first, **time))
            for line in running.keep(KEPT, tallies[-1].found):
                print(line, flush=True)
            print(running.table(tallies[-1:]).splitlines()[1], file=sys.stderr, flush=True)
    print(f"seed {wanted.seed}\n{running.table(tallies)}")
    return int(any(one.found for one in tallies))


if __name__ == "__main__":
    sys.exit(main())
