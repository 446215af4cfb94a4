"""Train the intent model on data/intents.csv and all accepted feedback, and serve it."""

from __future__ import annotations

import argparse
import os
import sys

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from chatloop.core.errors import ChatloopError  # noqa: E402
from chatloop.core.settings import load_settings  # noqa: E402
from chatloop.loop.retrain.by_hand import train_by_hand  # noqa: E402


def main() -> int:
    """Parse, train, and return 0; 1 with one line on a fault; 3 when the gate refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--gate", action="store_true", help="promote only if not worse than the current model"
    )
    parser.add_argument("--thorough", action="store_true", help="train about three times as long")
    parser.add_argument("--seed", type=int, help="seed of training (default: settings)")
    given = parser.parse_args()
    try:
        settings = load_settings(seed=given.seed, recipe="thorough" if given.thorough else None)
        return train_by_hand(settings, gated=given.gate, say=print)
    except ChatloopError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
