"""`python -m bench [--data FILE]`: print one table.

FILE is a CSV with text, label (or intent) and split; without it, the project's own
data/intents.csv. Nothing is written but to a temporary folder.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from bench import (  # noqa: E402
    certificates,
    intents,
    learning,
    llm,
    recipes,
    retrieval,
    serving,
    speed,
)
from bench.data import load  # noqa: E402
from chatloop.core.errors import ChatloopError  # noqa: E402

PARTS = {
    "intents": intents.rows,
    "recipes": recipes.rows,
    "certificates": certificates.rows,
    "speed": speed.rows,
    "retrieval": retrieval.rows,
    "learning": lambda _data, _seeds: learning.rows(),
    "serving": lambda _data, _seeds: serving.rows(),
    "llm": lambda _data, _seeds: llm.rows(),
}
HTTP = ("serving", "llm")


def main() -> int:
    """Run all parts and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="CSV: text,label,split")
    parser.add_argument("--seeds", type=int, default=1, help="seeds to take the median over")
    parser.add_argument("--quick", action="store_true", help="leave the HTTP part out")
    parser.add_argument("--only", choices=PARTS, default=None, help="one part of the table")
    given = parser.parse_args()
    try:
        data = load(given.data)
    except ChatloopError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(f"data: {data.name}: {data.describe()}")
    print(f"{'figure':<52}{'value':>22}")
    chosen = [given.only] if given.only else [p for p in PARTS if not (given.quick and p in HTTP)]
    for name, value in itertools.chain(*(PARTS[part](data, given.seeds) for part in chosen)):
        print(f"{name:<52}{value:>22}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
