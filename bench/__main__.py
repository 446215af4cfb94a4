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

from bench import certificates, intents, learning, llm, recipes, serving, speed  # noqa: E402
from bench.data import load  # noqa: E402
from chatloop.core.errors import ChatloopError  # noqa: E402


def main() -> int:
    """Run all parts and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="CSV: text,label,split")
    parser.add_argument("--seeds", type=int, default=1, help="seeds to take the median over")
    parser.add_argument("--quick", action="store_true", help="leave the HTTP part out")
    given = parser.parse_args()
    try:
        data = load(given.data)
    except ChatloopError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(f"data: {data.name}: {data.describe()}")
    print(f"{'figure':<52}{'value':>22}")
    parts = [part.rows(data, given.seeds) for part in (intents, recipes, certificates, speed)]
    parts.append(learning.rows())
    parts += [] if given.quick else [serving.rows(), llm.rows()]
    for name, value in itertools.chain(*parts):
        print(f"{name:<52}{value:>22}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
