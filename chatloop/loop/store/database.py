"""The tables, the connection, and the schema that is made on first use.

Nothing here knows what a row means. Every error of a driver leaves as a StoreError of one line
without parameters, because those would show user text.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from chatloop.core.errors import StoreError
from chatloop.core.locks import exclusive

SCHEMA_VERSION = 1
"""Goes up when a table changes. A new table is none: it is made, and older programs ignore it."""
_PRAGMAS = ("busy_timeout=5000", "foreign_keys=ON", "synchronous=FULL")
_ADVISORY_LOCK = 1667785076  # any fixed number: who makes the schema in PostgreSQL holds it


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, **options)


METADATA = sa.MetaData()
META = sa.Table("meta", METADATA, _text("key", primary_key=True), _text("value", nullable=False))
FEEDBACK = sa.Table(
    "feedback",
    METADATA,
    _text("feedback_id", primary_key=True),
    _text("feedback_type", nullable=False),
    _text("status", nullable=False, index=True),
    _text("source", nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    _text("text"),
    _text("label", index=True),
    _text("answer"),
    sa.Column("rating", sa.Integer),
    _text("comment"),
    _text("turn_id"),
    _text("user", index=True),
    _text("idempotency_key", unique=True),
    _text("model_version"),
    _text("family"),
    _text("content_key", nullable=False, unique=True),
)
PROPOSED = sa.Table(
    "proposed_intents",
    METADATA,
    _text("label", primary_key=True),
    _text("answer", nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    _text("source", nullable=False),
)
JOBS = sa.Table(
    "jobs",
    METADATA,
    _text("job_id", primary_key=True),
    _text("state", nullable=False, index=True),
    sa.Column("created_at", sa.Double, nullable=False),
    _text("stage", nullable=False),
    sa.Column("progress", sa.Double, nullable=False),
    sa.Column("started_at", sa.Double),
    sa.Column("finished_at", sa.Double),
    sa.Column("pid", sa.Integer),
    _text("actor", nullable=False),
    _text("result"),
)

LEARNED = sa.Table(
    "learned_state",
    METADATA,
    _text("release", primary_key=True),
    _text("kind", primary_key=True),
    _text("payload", nullable=False),
    sa.Column("changed_at", sa.Double, nullable=False),
)


class TakenError(StoreError):
    """A row with one of these unique values is there already."""


class Database:
    """Transactions on a database that has its tables. Thread-safe, blocking."""

    def __init__(self, url: str) -> None:
        """Take the address; nothing is opened or made before the first transaction."""
        self._engine = _engine(url)
        self._where = self._engine.url.render_as_string(hide_password=True)
        self._schema_lock = threading.Lock()
        self._schema_made = False

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def exists(self) -> bool:
        """Whether there is anything to read: on SQLite, its file. On a server always."""
        if self._engine.dialect.name != "sqlite":
            return True
        return Path(self._engine.url.database or "").exists()

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Commit at the end of the block, or undo all of it and raise a StoreError."""
        try:
            self._make_schema_once()
            with self._engine.begin() as connection:
                yield connection
        except IntegrityError as error:
            raise TakenError(self._message(error)) from error
        except (SQLAlchemyError, OSError) as error:
            raise StoreError(self._message(error)) from error

    def _message(self, error: Exception) -> str:
        cause = getattr(error, "orig", None) or error
        reason = (str(cause).splitlines() or [type(cause).__name__])[0]
        return f"the store {self._where} cannot be used ({reason}); check the disk or DATABASE_URL"

    def _make_schema_once(self) -> None:
        with self._schema_lock:
            if not self._schema_made:
                with self._alone():
                    self._make_schema()
                self._schema_made = True

    def _alone(self) -> AbstractContextManager[None]:
        """Keep other processes out while the schema is made; make the file, for the owner only."""
        if self._engine.dialect.name != "sqlite":
            return self._alone_on_the_server()
        file = Path(self._engine.url.database or "")
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():  # closing a second descriptor would drop SQLite's own locks on it
            file.touch(mode=0o600)
        return exclusive(file.with_name(f".{file.name}.lock"))

    @contextmanager
    def _alone_on_the_server(self) -> Iterator[None]:
        with self._engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
            yield

    def _make_schema(self) -> None:
        with self._engine.begin() as connection:
            METADATA.create_all(connection)
            known = sa.select(META.c.value).where(META.c.key == "schema_version")
            found = connection.execute(known).scalar()
            if found is None:
                row = {"key": "schema_version", "value": str(SCHEMA_VERSION)}
                connection.execute(META.insert().values(row))
            elif found != str(SCHEMA_VERSION):
                raise StoreError(
                    f"the store {self._where} has schema {found}, this program knows "
                    f"{SCHEMA_VERSION}; use the matching program or another DATABASE_URL"
                )


def _engine(url: str) -> sa.Engine:
    """Return an engine; raises StoreError when the address or its driver is not usable."""
    try:
        address = sa.make_url(url)
        if address.drivername in {"postgresql", "postgres"}:
            address = address.set(drivername="postgresql+psycopg")
        engine = sa.create_engine(address, hide_parameters=True, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise StoreError(
            f"DATABASE_URL needs the package {error.name}: pip install 'psycopg[binary]'"
        ) from error
    except (SQLAlchemyError, ValueError) as error:
        raise StoreError(
            "DATABASE_URL is no address of a database; expected for example "
            "postgresql://user:password@host/chatloop"
        ) from error
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    # busy_timeout first: switching to WAL may have to wait for another process.
    for pragma in (*_PRAGMAS, "journal_mode=WAL"):
        connection.execute(f"PRAGMA {pragma}").close()
