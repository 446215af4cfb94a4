"""The follower yields each whole line once, wherever the files go."""

from __future__ import annotations

import random
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatloop.core import follow
from chatloop.core.follow import MAX_LINE_BYTES, LogFollower, Position
from chatloop.core.logfile import rotate, rotated_files, rotated_name


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "chat.log"


def write(log: Path, data: bytes) -> None:
    with log.open("ab") as file:
        file.write(data)


def new(follower: LogFollower, limit_bytes: int | None = None) -> list[bytes]:
    return list(follower.read_new(limit_bytes))


def test_only_new_whole_lines_are_yielded(log):
    follower = LogFollower(log)
    assert new(follower) == []
    write(log, b"1\n2\n3")
    assert new(follower) == [b"1", b"2"]
    assert new(follower) == []
    write(log, b"3\n\n4\n")
    assert new(follower) == [b"33", b"", b"4"]


def test_rotated_files_are_finished_first_and_in_order(log):
    write(log, b"1\n")
    follower = LogFollower(log)
    assert new(follower) == [b"1"]
    for number in range(2, 6):
        write(log, b"%d\n" % number)
        rotate(log)
    write(log, b"6\n")
    assert new(follower) == [b"2", b"3", b"4", b"5", b"6"]


def test_a_rotation_before_the_first_look_hides_nothing(log):
    write(log, b"old\n")
    rotate(log)
    write(log, b"1\n")
    follower = LogFollower(log)
    rotate(log)
    write(log, b"2\n")
    assert new(follower) == [b"1", b"2"]


def test_a_rotation_during_a_look_hides_nothing(log, monkeypatch):
    write(log, b"1\n")
    looks = []

    def rotate_after_the_first_look(path: Path) -> list[Path]:
        found = rotated_files(path)
        if not looks:
            rotate(log)
            write(log, b"2\n")
        looks.append(found)
        return found

    follower = LogFollower(log, Position(0, 0, ""))
    monkeypatch.setattr(follow, "rotated_files", rotate_after_the_first_look)
    assert new(follower) == [b"1", b"2"]
    assert looks[0] == []


def test_the_unfinished_line_of_a_rotated_file_is_its_last(log):
    follower = LogFollower(log)
    write(log, b"1\n2-torn")
    assert new(follower) == [b"1"]
    rotate(log)
    assert new(follower) == [b"2-torn"]
    write(log, b"3\n")
    assert new(follower) == [b"3"]


def test_a_file_moved_away_is_still_read_to_its_end(log):
    follower = LogFollower(log)
    write(log, b"1\n")
    assert new(follower) == [b"1"]
    write(log, b"2\n")
    log.rename(log.with_name("elsewhere"))
    write(log, b"3\n")
    assert new(follower) == [b"2", b"3"]


def test_a_deleted_live_file_is_survived(log):
    follower = LogFollower(log)
    for number in range(5):
        write(log, b"%d\n" % number)
        assert new(follower) == [b"%d" % number]
        log.unlink()
        if number % 2:
            assert new(follower) == []


def test_a_truncated_file_is_read_from_its_start(log):
    follower = LogFollower(log)
    write(log, b"1\n2\n")
    assert new(follower) == [b"1", b"2"]
    log.write_bytes(b"3\n")
    assert new(follower) == [b"3"]


def test_deleted_rotated_files_are_passed_over(log):
    follower = LogFollower(log)
    write(log, b"1\n")
    assert new(follower) == [b"1"]
    for number in range(2, 6):
        write(log, b"%d\n" % number)
        rotate(log)
    for path in rotated_files(log)[:2]:
        path.unlink()
    # The first was held open and is read to its end; the second is gone for good.
    assert new(follower) == [b"2", b"4", b"5"]


def test_a_position_is_a_place_to_go_on_from(log):
    follower = LogFollower(log)
    write(log, b"1\n2\n3\n")
    lines = follower.read_new()
    assert [next(lines), next(lines)] == [b"1", b"2"]
    place = follower.position
    assert new(LogFollower(log, place)) == [b"3"]
    rotate(log)
    write(log, b"4\n")
    assert new(LogFollower(log, place)) == [b"3", b"4"]
    assert new(LogFollower(log, Position(0, 0, rotated_files(log)[0].name))) == [b"4"]
    assert new(LogFollower(log, Position(0, 0, ""))) == [b"1", b"2", b"3", b"4"]


def test_a_dropped_iterator_loses_nothing(log):
    write(log, b"".join(b"%d\n" % n for n in range(100)))
    follower = LogFollower(log)
    seen = []
    while len(seen) < 100:
        for line in follower.read_new():
            seen.append(line)
            if len(seen) % 7 == 0:
                break
    assert [int(line) for line in seen] == list(range(100))


def test_a_limit_stops_and_the_next_call_goes_on(log):
    write(log, b"".join(b"%03d\n" % n for n in range(100)))
    rotate(log)
    write(log, b"".join(b"%03d\n" % n for n in range(100, 200)))
    follower = LogFollower(log, Position(0, 0, ""))
    pieces = [new(follower, limit_bytes=40) for _ in range(20)]
    assert [len(piece) for piece in pieces] == [10] * 20
    assert [int(line) for piece in pieces for line in piece] == list(range(200))


@pytest.mark.parametrize("ending", [b"\n", b""])
def test_d10_a_line_of_50_mb_is_skipped_in_flat_memory(log, ending):
    with log.open("wb") as file:
        file.write(b"1\n")
        for _ in range(50):
            file.write(b"x" * 1_000_000)
        file.write(ending)
    follower = LogFollower(log)
    tracemalloc.start()
    assert new(follower) == [b"1"]
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    write(log, b"rest\n2\n" if not ending else b"2\n")
    assert new(follower) == [b"2"]
    assert follower.too_long == 1
    assert peak_bytes < 12_000_000


def test_a_line_of_just_the_limit_is_kept(log):
    write(log, b"x" * MAX_LINE_BYTES + b"\n" + b"y" * (MAX_LINE_BYTES + 1) + b"\nz\n")
    follower = LogFollower(log)
    assert [line[:1] for line in follower.read_new()] == [b"x", b"z"]
    assert follower.too_long == 1


def test_any_mix_of_events_yields_every_line_once(log):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    follower, sent, seen = LogFollower(log, Position(0, 0, "")), 0, []
    for _ in range(600):
        event = rng.random()
        if event < 0.6:
            write(log, b"".join(b"%d\n" % (sent + n) for n in range(rng.randrange(20))))
            sent = int((all_of(log) or [b"-1"])[-1]) + 1
        elif event < 0.75 and log.exists():
            rotate(log)
        elif event < 0.8:
            follower = LogFollower(log, follower.position)
        else:
            seen += new(follower, limit_bytes=rng.choice([None, 5, 50]))
    seen += new(follower)
    assert [int(line) for line in seen] == list(range(sent))
    assert len(rotated_files(log)) > 10


def all_of(log: Path) -> list[bytes]:
    return [
        line
        for path in [*rotated_files(log), log]
        if path.exists()
        for line in path.read_bytes().split()
    ]


def test_names_of_rotated_files_sort_by_time(log):
    early = rotated_name(log, datetime(2026, 9, 30, 23, 59, 59, 999_999, UTC))
    late = rotated_name(log, datetime(2026, 10, 1, tzinfo=UTC))
    assert early == "chat.log.20260930T235959999999Z"
    assert early < late
