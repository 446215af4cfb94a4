from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from chatloop.core.logs import set_up_logging


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger("chatloop")
    before = root.handlers[:], root.level, root.propagate
    noisy = {name: logging.getLogger(name).level for name in ("httpx", "httpcore", "bm25s")}
    yield
    root.handlers[:], root.level, root.propagate = before
    for name, level in noisy.items():
        logging.getLogger(name).setLevel(level)


def test_lines_go_to_standard_error_once_however_often_it_is_set_up(capsys):
    set_up_logging()
    set_up_logging()
    logging.getLogger("chatloop.turn").info("turn %s took %d ms", "t", 3)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("chatloop.turn: turn t took 3 ms") == 1


def test_below_the_level_nothing_is_said(capsys):
    set_up_logging(logging.WARNING)
    logging.getLogger("chatloop.turn").info("not this")
    assert "not this" not in capsys.readouterr().err


def test_chatty_libraries_are_quiet():
    set_up_logging(logging.DEBUG)
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
