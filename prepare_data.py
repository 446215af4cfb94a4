"""Write data/intents.csv: the shipped SaaS-support demo set, or your own file (--from)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from chatloop.core.errors import ChatloopError
from chatloop.core.settings import load_settings
from chatloop.loop.data.prepare import prepare


def main() -> int:
    """Parse, prepare, and return 0; 1 with one line on a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE", help="CSV or JSON")
    parser.add_argument("--seed", type=int, help="seed of the split (default: settings)")
    parser.add_argument("--force", action="store_true", help="replace changed data, keep a copy")
    parser.add_argument("--strict", action="store_true", help="texts with two labels are fatal")
    given = parser.parse_args()
    try:
        settings = load_settings(seed=given.seed)
        prepare(
            settings.data_dir,
            seed=settings.seed,
            source=given.source,
            force=given.force,
            strict=given.strict,
            say=print,
        )
    except ChatloopError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
