"""The store's table of learned state: new beside old tables, one change at a time."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from chatloop.loop.store import Store


def open_store(folder: Path) -> Store:
    return Store(f"sqlite:///{folder / 'chatloop.db'}")


def test_each_release_and_kind_has_a_row_of_its_own(tmp_path):
    store = open_store(tmp_path)
    for release, kind in (("v1", "hint"), ("v1", "llm"), ("v2", "hint")):
        store.change_learned(release, kind, lambda _, name=f"{release} {kind}": name)
    assert store.learned("v1") == {"hint": "v1 hint", "llm": "v1 llm"}
    assert store.learned("v2") == {"hint": "v2 hint"}
    assert store.learned("v3") == {}
    store.close()


def test_looking_makes_no_file(tmp_path):
    store = open_store(tmp_path)
    assert store.learned("v1") == {}
    assert list(tmp_path.iterdir()) == []
    store.close()


def test_a_file_of_an_earlier_version_gets_the_table_and_keeps_its_rows(tmp_path):
    older = open_store(tmp_path)
    assert older.counts() == {}
    older.close()
    with sqlite3.connect(tmp_path / "chatloop.db") as connection:
        connection.execute("DROP TABLE learned_state")
        connection.execute(
            "INSERT INTO proposed_intents VALUES ('gift_cards', 'We sell none.', 1.0, 'api')"
        )
    store = open_store(tmp_path)
    store.change_learned("v1", "hint", str)
    assert store.learned("v1") == {"hint": "None"}
    assert [p.label for p in store.proposed_intents()] == ["gift_cards"]
    store.close()


def test_a_change_that_fails_leaves_what_was_there(tmp_path):
    store = open_store(tmp_path)
    store.change_learned("v1", "hint", lambda _: "1")

    def fail(_known: str | None) -> str:
        raise RuntimeError("scripted")

    with pytest.raises(RuntimeError, match="scripted"):
        store.change_learned("v1", "hint", fail)
    assert store.learned("v1") == {"hint": "1"}
    store.close()


def test_changes_at_once_are_made_one_after_the_other(tmp_path):
    stores = [open_store(tmp_path) for _ in range(4)]

    def add(store: Store) -> None:
        for _ in range(10):
            store.change_learned("v1", "hint", lambda known: str(int(known or 0) + 1))

    threads = [threading.Thread(target=add, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0].learned("v1") == {"hint": "40"}
    for store in stores:
        store.close()
