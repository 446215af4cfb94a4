"""Reads and writes of feedback, proposed intents and jobs."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa

from chatloop.core.feedback import Feedback, FeedbackType
from chatloop.loop.store.database import FEEDBACK, JOBS, LEARNED, PROPOSED, Database, TakenError
from chatloop.loop.store.tickets import Tickets
from chatloop.loop.store.values import Added, FeedbackStatus, Job, JobState, ProposedIntent, Ratings

_FEEDBACK_COLUMNS = [FEEDBACK.c[f.name] for f in fields(Feedback)]
_UNFINISHED = (JobState.QUEUED, JobState.RUNNING)


class Store:
    """All reads and writes. Thread-safe; blocking, so callers on an event loop use a thread."""

    def __init__(self, url: str) -> None:
        """Take the address; nothing is opened or made before the first use."""
        self._database = Database(url)
        self.tickets = Tickets(self._database)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def add_feedback(self, feedback: Feedback, family: str | None = None) -> Added:
        """Store `feedback` once; `family` is the near-duplicate key of its text.

        A repeat, by idempotency key or by content (see `_content_key`), makes no second row. A
        repeat by content counts as given now; a new rating replaces the old one, and a trusted
        repeat replaces a row that waited for review; a repeat that must wait changes nothing
        about an accepted row.
        """
        row = asdict(feedback) | {"family": family, "content_key": _content_key(feedback)}
        try:
            with self._database.transaction() as connection:
                connection.execute(FEEDBACK.insert().values(row))
            return Added(feedback.feedback_id, FeedbackStatus(feedback.status))
        except TakenError:
            with self._database.transaction() as connection:
                return _repeat(connection, row)

    def feedback(
        self, status: str | None = None, types: Iterable[FeedbackType] | None = None
    ) -> list[Feedback]:
        """Return feedback, oldest first; None means every status or type."""
        query = sa.select(*_FEEDBACK_COLUMNS)
        if status is not None:
            query = query.where(FEEDBACK.c.status == status)
        if types is not None:
            query = query.where(FEEDBACK.c.feedback_type.in_(list(types)))
        query = query.order_by(FEEDBACK.c.created_at, FEEDBACK.c.feedback_id)
        return [_feedback(row) for row in self._rows(query)]

    def examples(self, label: str) -> int:
        """Count the accepted examples of `label`, one a family."""
        accepted = FEEDBACK.c.status == FeedbackStatus.ACCEPTED
        families = sa.select(FEEDBACK.c.family).where(accepted, FEEDBACK.c.label == label)
        return len(self._rows(families.distinct()))

    def ratings(self) -> Ratings:
        """Count one vote a user and turn: the newest."""
        c = FEEDBACK.c
        newest_first = (c.created_at.desc(), c.feedback_id.desc())
        place = sa.func.row_number().over(partition_by=(c.turn_id, c.user), order_by=newest_first)
        votes = sa.select(c.rating, place.label("place")).where(c.rating.is_not(None)).subquery()
        query = sa.select(votes.c.rating, sa.func.count()).where(votes.c.place == 1)
        counted = {row[0]: int(row[1]) for row in self._rows(query.group_by(votes.c.rating))}
        return Ratings(up=counted.get(1, 0), down=counted.get(-1, 0))

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many pieces of feedback there are, by type, then status."""
        c = FEEDBACK.c
        query = sa.select(c.feedback_type, c.status, sa.func.count())
        found: dict[str, dict[str, int]] = {}
        for kind, status, count in self._rows(query.group_by(c.feedback_type, c.status)):
            found.setdefault(kind, {})[status] = int(count)
        return found

    def propose_intent(self, proposal: ProposedIntent) -> None:
        """Store a proposed intent; of a known one only the answer is replaced, if there is one."""
        try:
            with self._database.transaction() as connection:
                connection.execute(PROPOSED.insert().values(asdict(proposal)))
        except TakenError:
            if proposal.answer:
                update = PROPOSED.update().where(PROPOSED.c.label == proposal.label)
                with self._database.transaction() as connection:
                    connection.execute(update.values(answer=proposal.answer))

    def proposed_intents(self) -> list[ProposedIntent]:
        """Return all proposed intents, oldest first."""
        query = sa.select(PROPOSED).order_by(PROPOSED.c.created_at, PROPOSED.c.label)
        return [ProposedIntent(**row._mapping) for row in self._rows(query)]

    def save_job(self, job: Job) -> None:
        """Store `job`, replacing what was known under its id."""
        values = asdict(job)
        with self._database.transaction() as connection:
            update = JOBS.update().where(JOBS.c.job_id == job.job_id).values(values)
            if connection.execute(update).rowcount == 0:
                connection.execute(JOBS.insert().values(values))

    def job(self, job_id: str) -> Job | None:
        """Return one job, or None."""
        return self._newest_job(JOBS.c.job_id == job_id)

    def running_job(self) -> Job | None:
        """Return the newest job that is queued or running, or None."""
        return self._newest_job(JOBS.c.state.in_(_UNFINISHED))

    def jobs(self, limit: int = 20) -> list[Job]:
        """Return the newest jobs, newest first."""
        query = sa.select(JOBS).order_by(JOBS.c.created_at.desc(), JOBS.c.job_id.desc())
        return [_job(row) for row in self._rows(query.limit(limit))]

    def learned(self, release: str) -> dict[str, str]:
        """Return what was learned under `release`: JSON text by kind. Makes no file to look."""
        if not self._database.exists():
            return {}
        query = sa.select(LEARNED.c.kind, LEARNED.c.payload).where(LEARNED.c.release == release)
        return {row.kind: row.payload for row in self._rows(query)}

    def change_learned(self, release: str, kind: str, change: Callable[[str | None], str]) -> None:
        """Replace what was learned by `change` of it, None = nothing yet; nobody comes between."""
        try:
            with self._database.transaction() as connection:
                _change_learned(connection, release, kind, change)
        except TakenError:  # another process has just made the row
            with self._database.transaction() as connection:
                _change_learned(connection, release, kind, change)

    def _newest_job(self, condition: sa.ColumnElement[bool]) -> Job | None:
        query = sa.select(JOBS).where(condition).order_by(JOBS.c.created_at.desc()).limit(1)
        rows = self._rows(query)
        return _job(rows[0]) if rows else None

    def _rows(self, query: sa.Select[Any]) -> list[Any]:
        with self._database.transaction() as connection:
            return list(connection.execute(query))


def _content_key(feedback: Feedback) -> str:
    """Return a key that two pieces share when they say the same thing.

    On a turn, a user has one rating, and each label once. Everything else repeats only when
    its words repeat, from the same user through the same door.
    """
    f = feedback
    parts = [f.feedback_type, f.turn_id, f.user, f.label]
    if f.turn_id is None or (f.label is None and f.feedback_type != FeedbackType.RATING):
        parts += [f.source, f.text, f.comment]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _repeat(connection: sa.Connection, row: dict[str, Any]) -> Added:
    """Find the earlier piece, bring it up to date, and say what that changed."""
    c = FEEDBACK.c
    if row["idempotency_key"] is not None:
        by_key = sa.select(c.feedback_id).where(c.idempotency_key == row["idempotency_key"])
        same_request = connection.execute(by_key).scalar()
        if same_request is not None:
            return Added(same_request, FeedbackStatus.DUPLICATE)
    same_content = c.content_key == row["content_key"]
    earlier_columns = sa.select(c.feedback_id, c.status, c.rating)
    earlier = connection.execute(earlier_columns.where(same_content)).one()
    news: dict[str, Any] = {}
    if earlier.status == FeedbackStatus.ACCEPTED != row["status"]:
        return Added(earlier.feedback_id, FeedbackStatus.DUPLICATE)
    if earlier.status != row["status"]:
        news = {k: v for k, v in row.items() if v is not None and k != "feedback_id"}
    elif row["rating"] not in {None, earlier.rating}:
        news = {"rating": row["rating"], "comment": row["comment"]}
    update = FEEDBACK.update().where(same_content)
    connection.execute(update.values(news | {"created_at": row["created_at"]}))
    status = FeedbackStatus(news.get("status", earlier.status))
    return Added(earlier.feedback_id, status if news else FeedbackStatus.DUPLICATE)


def _change_learned(
    connection: sa.Connection, release: str, kind: str, change: Callable[[str | None], str]
) -> None:
    here = (LEARNED.c.release == release) & (LEARNED.c.kind == kind)
    now = {"changed_at": time.time()}
    # Writing before reading takes the lock (SQLite: the file, PostgreSQL: the row).
    known = connection.execute(LEARNED.update().where(here).values(now)).rowcount
    payload = connection.execute(sa.select(LEARNED.c.payload).where(here)).scalar()
    news = now | {"payload": change(payload)}
    if known:
        connection.execute(LEARNED.update().where(here).values(news))
    else:
        connection.execute(LEARNED.insert().values(news | {"release": release, "kind": kind}))


def _feedback(row: sa.Row[Any]) -> Feedback:
    values = dict(row._mapping)
    return Feedback(**values | {"feedback_type": FeedbackType(values["feedback_type"])})


def _job(row: sa.Row[Any]) -> Job:
    values = dict(row._mapping)
    return Job(**values | {"state": JobState(values["state"])})
