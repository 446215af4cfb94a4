"""Show what the bot did: `python monitoring.py` summarises the chat log, `--stream` prints it.

Exit code 0; 1 for a fault or a finding named with --fail-on; 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from chatloop.core.errors import ChatloopError
from chatloop.core.settings import load_settings
from chatloop.loop.monitor.command import FINDINGS, Options, fail_on, run


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, do it, return the exit code."""
    parser = argparse.ArgumentParser(description="Summarise the chat log, or stream a log.")
    add = parser.add_argument
    add("--stream", nargs="?", const="", metavar="FILE", help="print a log (- = stdin) as JSON")
    add("--follow", action="store_true", help="go on with what comes (default: the chat log)")
    add("--fail-on", type=fail_on, default=frozenset(), metavar="A,B", help=", ".join(FINDINGS))
    add("--log", type=Path, help="chat log to read (default: logs/chat_metrics.log)")
    add("--out", type=Path, help="summary to write (default: logs/chat_summary.csv)")
    options = Options(**vars(parser.parse_args(arguments)))
    try:
        return run(load_settings(), options)
    except ChatloopError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
