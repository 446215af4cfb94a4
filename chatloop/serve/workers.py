"""How many worker processes serve this address: what lives in one process's memory needs to know.

uvicorn tells its workers nothing, but they inherit its arguments and its environment.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Mapping, Sequence

VARIABLE = "WEB_CONCURRENCY"
_OPTION = "--workers"


def number_of_workers(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
) -> int:
    """Return the number that `uvicorn --workers N` or WEB_CONCURRENCY asked for, else 1."""
    given = list(sys.argv if arguments is None else arguments)
    spelled = [a.partition("=")[2] for a in given if a.startswith(f"{_OPTION}=")]
    spelled += [after for word, after in itertools.pairwise(given) if word == _OPTION]
    spelled.append((os.environ if environment is None else environment).get(VARIABLE, ""))
    return next((int(text) for text in spelled if text.isdecimal() and int(text) > 0), 1)
