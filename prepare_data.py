"""Write data/intents.csv: the shipped SaaS-support demo set, or your own files (--from)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from chatloop.core.errors import ChatloopError
from chatloop.core.settings import load_settings
from chatloop.loop.data.prepare import Own, prepare
from chatloop.loop.data.sources import Columns


def main() -> int:
    """Parse, prepare, and return 0; 1 with one line on a fault, 2 for wrong options."""
    parser = _parser()
    given = parser.parse_args()
    columns = Columns(given.text_column, given.intent_column, given.split_column)
    own = None
    if given.source:
        own = Own(given.source, columns, given.answers, given.knowledge)
    elif given.answers or given.knowledge or columns != Columns():
        parser.error("--answers, --knowledge and the column options belong to --from FILE")
    try:
        settings = load_settings(seed=given.seed)
        prepare(
            settings.data_dir,
            seed=settings.seed,
            source=own,
            force=given.force,
            strict=given.strict,
            say=print,
        )
    except ChatloopError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--from", dest="source", type=Path, metavar="FILE", help="CSV, TSV, JSON or JSON lines")
    add("--text-column", metavar="NAME", help="column of the messages (default: usual names)")
    add("--intent-column", metavar="NAME", help="column of the labels (default: usual names)")
    add("--split-column", metavar="NAME", help="column of train, val, test; `-`: read none")
    add("--answers", type=Path, metavar="FILE", help="approved answers: YAML, or CSV intent,answer")
    add("--knowledge", type=Path, metavar="DIR", help="folder of help pages in Markdown")
    add("--seed", type=int, help="seed of the split (default: settings)")
    add("--force", action="store_true", help="replace changed data, keep a copy")
    add("--strict", action="store_true", help="texts with two labels are fatal")
    return parser


if __name__ == "__main__":
    sys.exit(main())
