from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatloop.core.ids import Pseudonyms, TurnIds
from chatloop.core.telemetry import TurnRecord
from chatloop.loop.feedback.copy import CsvCopy
from chatloop.loop.feedback.intake import Intake
from chatloop.loop.feedback.reports import Reports
from chatloop.loop.store import Store

SECRET = b"a secret of enough length"
KNOWN = {"reset_password", "get_invoice", "login_problem"}


def make_intake(
    folder: Path, store: Store, find_record: Callable[[str], TurnRecord | None] = lambda _: None
) -> Intake:
    return Intake(
        store=store,
        known_labels=lambda: set(KNOWN),
        find_record=find_record,
        turn_ids=TurnIds(SECRET),
        pseudonyms=Pseudonyms(SECRET),
        csv_copy=CsvCopy(folder / "new_user_data.csv"),
        reports=Reports(folder / "chatbot_feedback.jsonl"),
        limit_chars=2000,
        new_intent_examples=5,
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'chatloop.db'}")
    yield store
    store.close()


@pytest.fixture
def records() -> dict[str, TurnRecord]:
    """Turns that the log holds, by id; a test fills it."""
    return {}


@pytest.fixture
def intake(tmp_path: Path, store: Store, records: dict[str, TurnRecord]) -> Intake:
    return make_intake(tmp_path, store, records.get)


@pytest.fixture
def turn_id() -> str:
    return TurnIds(SECRET).new()
