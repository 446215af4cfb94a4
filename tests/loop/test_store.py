"""The rules of the store, on SQLite; on PostgreSQL too when TEST_DATABASE_URL names one."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatloop.core.errors import StoreError
from chatloop.core.feedback import Feedback, FeedbackType
from chatloop.loop.store import FeedbackStatus, Job, JobState, ProposedIntent, Store


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'data' / 'chatloop.db'}"


POSTGRES_URL = os.environ.get("TEST_DATABASE_URL")


@pytest.fixture(params=["sqlite", "postgresql"] if POSTGRES_URL else ["sqlite"])
def store(request, tmp_path: Path) -> Iterator[Store]:
    on_server = request.param == "postgresql"
    store = Store(str(POSTGRES_URL) if on_server else sqlite_url(tmp_path))
    yield store
    if on_server:
        with store._database.transaction() as connection:
            tables = ("feedback", "proposed_intents", "jobs", "learned_state", "tickets", "meta")
            for table in tables:
                connection.exec_driver_sql(f"DROP TABLE {table}")
    store.close()


def piece(number: int, **changed) -> Feedback:
    values = {
        "feedback_id": f"fb_{number}",
        "feedback_type": FeedbackType.LABEL,
        "status": "accepted",
        "source": "api",
        "created_at": float(number),
        "text": f"text {number}",
        "label": "get_invoice",
    }
    return Feedback(**(values | changed))


def vote(number: int, rating: int, **changed) -> Feedback:
    rated = {"feedback_type": FeedbackType.RATING, "text": None, "label": None, "rating": rating}
    return piece(number, **({"turn_id": "T1", "user": "u1"} | rated | changed))


def test_feedback_comes_back_as_it_went_in(store):
    full = piece(1, user="u", comment="c", answer="a", turn_id="t", idempotency_key="k", rating=1)
    store.add_feedback(full, "family")
    assert store.feedback() == [full]
    assert isinstance(store.feedback()[0].feedback_type, FeedbackType)


def test_feedback_is_filtered_and_in_the_order_of_time(store):
    store.add_feedback(piece(2))
    store.add_feedback(piece(1, status="queued_for_review"))
    store.add_feedback(vote(3, 1))
    assert [f.feedback_id for f in store.feedback()] == ["fb_1", "fb_2", "fb_3"]
    assert [f.feedback_id for f in store.feedback(status="accepted")] == ["fb_2", "fb_3"]
    assert [f.feedback_id for f in store.feedback(types=[FeedbackType.RATING])] == ["fb_3"]
    assert store.counts() == {
        "label": {"accepted": 1, "queued_for_review": 1},
        "rating": {"accepted": 1},
    }


def test_the_same_idempotency_key_returns_the_first_and_changes_nothing(store):
    first = piece(1, idempotency_key="k")
    store.add_feedback(first)
    added = store.add_feedback(piece(2, idempotency_key="k", status="accepted", label="oos"))
    assert (added.feedback_id, added.status) == ("fb_1", FeedbackStatus.DUPLICATE)
    assert store.feedback() == [first]


def test_the_same_label_for_the_same_turn_by_the_same_user_is_a_duplicate(store):
    store.add_feedback(piece(1, turn_id="T", user="u"))
    assert store.add_feedback(piece(2, turn_id="T", user="u")).status == "duplicate"
    assert len(store.feedback()) == 1


@pytest.mark.parametrize("other", [{"user": "v"}, {"user": None}, {"label": "x"}, {"turn_id": "S"}])
def test_another_user_turn_or_label_is_no_duplicate(store, other):
    given = {"turn_id": "T", "user": "u"}
    store.add_feedback(piece(1, **given))
    assert store.add_feedback(piece(2, **(given | other))).status == "accepted"
    assert len(store.feedback()) == 2


def test_a_trusted_repeat_replaces_what_waited_and_an_untrusted_one_takes_nothing_back(store):
    given = {"turn_id": "T", "user": None}
    store.add_feedback(piece(1, status="queued_for_review", **given))
    added = store.add_feedback(piece(2, text="the right words", **given))
    assert (added.feedback_id, added.status) == ("fb_1", "accepted")
    again = store.add_feedback(piece(3, status="queued_for_review", text="mine", **given))
    assert again.status == "duplicate"
    (kept,) = store.feedback()
    assert (kept.status, kept.text, kept.created_at) == ("accepted", "the right words", 2.0)


def test_ratings_count_one_vote_a_user_and_turn_the_newest(store):
    store.add_feedback(vote(1, 1))
    store.add_feedback(piece(2, turn_id="T1", user="u1", rating=-1))  # with a correction
    store.add_feedback(vote(3, 1, user="u2"))
    store.add_feedback(vote(4, 1, user="u2"))
    store.add_feedback(vote(5, 1, user="u1", turn_id="T2"))
    assert (store.ratings().up, store.ratings().down) == (2, 1)


def test_no_votes_are_no_satisfaction(store):
    assert store.ratings().satisfaction is None


def test_examples_count_accepted_families_once(store):
    store.add_feedback(piece(1), "a")
    store.add_feedback(piece(2), "a")
    store.add_feedback(piece(3), "b")
    store.add_feedback(piece(4, status="queued_for_review"), "c")
    store.add_feedback(piece(5, label="oos"), "d")
    assert store.examples("get_invoice") == 2


def test_a_proposed_intent_keeps_its_answer_until_there_is_another(store):
    for answer in ("", "first", "", "second"):
        store.propose_intent(ProposedIntent("gift_cards", answer, 1.0, "api"))
    assert store.proposed_intents() == [ProposedIntent("gift_cards", "second", 1.0, "api")]


def test_a_job_is_saved_followed_and_found(store):
    assert store.running_job() is None
    assert store.job("j1") is None
    queued = Job(job_id="j1", state=JobState.QUEUED, created_at=1.0, actor="admin")
    store.save_job(queued)
    assert store.running_job() == queued
    running = Job(job_id="j1", state=JobState.RUNNING, created_at=1.0, progress=0.5, pid=7)
    store.save_job(running)
    assert store.running_job() == store.job("j1") == running
    done = Job(job_id="j1", state=JobState.DONE, created_at=1.0, result='{"promoted": true}')
    store.save_job(done)
    assert store.running_job() is None
    store.save_job(Job(job_id="j2", state=JobState.FAILED, created_at=2.0))
    assert [job.job_id for job in store.jobs()] == ["j2", "j1"]
    assert [job.job_id for job in store.jobs(limit=1)] == ["j2"]


def test_threads_that_send_the_same_at_once_make_one_row(store):
    statuses: list[str] = []

    def send(number: int) -> None:
        statuses.append(store.add_feedback(piece(number, turn_id="T", user="u")).status)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == ["accepted"] + ["duplicate"] * 7
    assert len(store.feedback()) == 1


def _open_and_add(url: str, number: int, start: threading.Barrier) -> None:
    store = Store(url)
    start.wait()
    store.add_feedback(piece(number))
    store.close()


def test_processes_that_start_together_make_the_schema_once(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(2)
    arguments = [(sqlite_url(tmp_path), number, start) for number in range(2)]
    processes = [spawn.Process(target=_open_and_add, args=a) for a in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    store = Store(sqlite_url(tmp_path))
    assert len(store.feedback()) == 2
    store.close()


def test_the_files_are_for_the_owner_only_and_written_ahead(tmp_path):
    store = Store(sqlite_url(tmp_path))
    assert not (tmp_path / "data").exists()
    store.add_feedback(piece(1))
    files = sorted(p for p in (tmp_path / "data").iterdir())
    assert {f.name for f in files} >= {"chatloop.db", "chatloop.db-wal"}
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}
    with store._database.transaction() as connection:
        pragmas = ("journal_mode", "busy_timeout", "foreign_keys", "synchronous")
        found = [connection.exec_driver_sql(f"PRAGMA {p}").scalar() for p in pragmas]
    assert found == ["wal", 5000, 1, 2]
    store.close()


def test_a_file_that_is_no_database_is_a_store_error_in_one_line(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "chatloop.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="file is not a database") as caught:
        Store(sqlite_url(tmp_path)).feedback()
    assert "\n" not in str(caught.value)


def test_an_error_shows_no_user_text(tmp_path):
    store = Store(sqlite_url(tmp_path))
    store.add_feedback(piece(1))
    with sqlite3.connect(tmp_path / "data" / "chatloop.db") as connection:
        connection.execute("DROP TABLE feedback")
    with pytest.raises(StoreError) as caught:
        store.add_feedback(piece(2, text="secret words"))
    assert "secret words" not in str(caught.value)
    assert "secret words" not in str(caught.value.__cause__)
    store.close()


def test_a_store_of_another_version_is_refused(tmp_path):
    store = Store(sqlite_url(tmp_path))
    store.feedback()
    store.close()
    with sqlite3.connect(tmp_path / "data" / "chatloop.db") as connection:
        connection.execute("UPDATE meta SET value = '99'")
    with pytest.raises(StoreError, match="has schema 99"):
        Store(sqlite_url(tmp_path)).feedback()


@pytest.mark.parametrize("url", ["nonsense", "foo://secret-password@host/x", "sqlite+foo:///x"])
def test_an_address_that_is_none_is_a_store_error_without_the_address(url):
    with pytest.raises(StoreError, match="DATABASE_URL") as caught:
        Store(url)
    assert url not in str(caught.value)


def test_a_server_that_is_away_is_a_store_error_without_the_password():
    pytest.importorskip("psycopg")
    store = Store("postgresql://anna:hidden-word@127.0.0.1:1/chatloop")
    with pytest.raises(StoreError, match="cannot be used") as caught:
        store.feedback()
    assert "hidden-word" not in str(caught.value)
