"""A turn is found by its id, wherever its line went."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatloop.core.logfile import rotated_name
from chatloop.core.telemetry import TurnRecord
from chatloop.loop.monitor import lookup
from chatloop.loop.monitor.lookup import find_record

from .records import NOW, line, record, turn_id

TURNS_A_FILE = 400


@pytest.fixture(scope="module")
def logged(tmp_path_factory) -> tuple[Path, list[TurnRecord]]:
    """Turns 5 s apart, written up to 100 s late, over three rotated files and a live one."""
    rng = random.Random(3)
    log = tmp_path_factory.mktemp("logs") / "chat.log"
    turns = []
    for number in range(4 * TURNS_A_FILE):
        received_at = NOW + 5 * number
        turns.append((received_at + rng.choice([0.01, rng.uniform(0, 100)]), received_at))
    turns.sort()
    records = []
    for start in range(0, len(turns), TURNS_A_FILE):
        part = turns[start : start + TURNS_A_FILE]
        made = [record(turn_id=turn_id(at), ts=at, prompt="x" * 300) for _, at in part]
        records += made
        closed_at = datetime.fromtimestamp(part[-1][0] + 0.001, UTC)
        last = start + TURNS_A_FILE == len(turns)
        path = log if last else log.with_name(rotated_name(log, closed_at))
        lines = [line(one) for one in made]
        lines[37:37] = [b"", b"torn{", b"\xff" * 100]
        path.write_bytes(b"\n".join(lines) + b"\n")
    return log, records


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(lookup, "_SMALL_BYTES", 2_000)  # so that the search has steps to take


def test_every_record_is_found_over_live_and_rotated_files(logged):
    log, records = logged
    rng = random.Random(4)
    for wanted in [records[0], records[-1], *rng.sample(records, 100)]:
        assert find_record(log, wanted.turn_id) == wanted


def test_an_id_without_a_record_is_not_found(logged):
    log, _ = logged
    for at in (NOW - 9e6, NOW - 1, NOW + 2_501.5, NOW + 9e6):
        assert find_record(log, turn_id(at)) is None


def test_only_a_small_part_of_the_log_is_read(logged, monkeypatch):
    log, records = logged
    real, read = lookup._stamp, []
    monkeypatch.setattr(lookup, "_stamp", lambda raw: read.append(raw) or real(raw))
    for wanted in records[50::200]:
        read.clear()
        find_record(log, wanted.turn_id)
        assert 0 < len(read) < 250


def test_a_missing_log_finds_nothing(tmp_path):
    assert find_record(tmp_path / "none.log", turn_id(NOW)) is None


def test_a_rotation_during_the_search_hides_nothing(tmp_path, monkeypatch):
    log = tmp_path / "chat.log"
    wanted = record(turn_id=turn_id(NOW), ts=NOW)
    log.write_bytes(line(wanted) + b"\n")
    real, looks = lookup.rotated_files, []

    def rotate_after_the_first_look(path: Path) -> list[Path]:
        found = real(path)
        if not looks:
            log.rename(log.with_name(rotated_name(log, datetime.fromtimestamp(NOW + 1, UTC))))
        looks.append(found)
        return found

    monkeypatch.setattr(lookup, "rotated_files", rotate_after_the_first_look)
    assert find_record(log, wanted.turn_id) == wanted
    assert [len(found) for found in looks[:2]] == [0, 1]
