"""The figures of /metrics equal a recount of the log, whoever rotated it and when."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatloop.core.errors import DataError
from chatloop.core.follow import LogFollower
from chatloop.core.jsonl import JsonlWriter
from chatloop.core.logfile import prune, rotate, rotated_files
from chatloop.loop.monitor import metrics as module
from chatloop.loop.monitor.aggregate import Aggregate
from chatloop.loop.monitor.lines import Skipped, read_line
from chatloop.loop.monitor.metrics import LogMetrics

from .records import NOW, line, random_record, record


class Place:
    """A log folder, and the workers that count it."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "chat_metrics.log"
        self.state = folder / "metrics_state.json"
        self.now = NOW

    def worker(self) -> LogMetrics:
        return LogMetrics(self.log, self.state, clock=lambda: self.now)

    def write(self, *lines: bytes) -> None:
        with self.log.open("ab") as file:
            file.writelines(one + b"\n" for one in lines)

    def rotate(self, by: LogMetrics, keep_files: int = 1000) -> None:
        """Rotate as the writer does: rename, tell, delete."""
        by.on_rotate(rotate(self.log))
        prune(self.log, keep_files)


@pytest.fixture
def place(tmp_path) -> Iterator[Place]:
    return Place(tmp_path)


def turns(metrics: LogMetrics) -> int:
    metrics.refresh()
    return metrics.totals().turns


def test_no_log_is_no_turns(place):
    assert turns(place.worker()) == 0


def test_refresh_counts_only_what_is_new(place):
    metrics = place.worker()
    for number in range(1, 4):
        place.write(line(record()))
        assert turns(metrics) == number
        assert turns(metrics) == number


def test_a_start_reads_the_state_and_the_live_file_only(place, monkeypatch):
    metrics = place.worker()
    place.write(line(record()), line(record()), b"torn")
    place.rotate(by=metrics)
    place.write(line(record()))
    for path in rotated_files(place.log):
        path.write_bytes(b"nobody reads this again\n" * 50)
    read: list[bytes] = []
    monkeypatch.setattr(module, "read_line", lambda raw: read.append(raw) or read_line(raw))
    late = place.worker()
    assert turns(late) == 3
    assert late.skipped()["unreadable"] == 1
    assert read == [line(record())]
    assert turns(metrics) == 3


def test_a_rotation_whose_state_was_never_written_is_read_from_the_file(place):
    metrics = place.worker()
    place.write(line(record()))
    place.rotate(by=metrics)
    place.write(line(record()))
    rotate(place.log)  # killed before it could tell
    place.write(line(record()))
    assert turns(place.worker()) == 3
    assert turns(metrics) == 3


@pytest.mark.parametrize("damage", [b"", b"{", b'{"version":99}', b"[]", b"\xff"])
def test_a_damaged_state_is_counted_anew_from_the_files(place, damage):
    place.write(line(record()), line(record()))
    place.rotate(by=place.worker())
    place.write(line(record()))
    place.state.write_bytes(damage)
    assert turns(place.worker()) == 3


def test_a_worker_that_slept_through_deleted_files_takes_the_state_over(place):
    awake, asleep = place.worker(), place.worker()
    place.write(line(record()))
    assert turns(asleep) == 1
    for _ in range(5):
        place.write(line(record()), line(record()))
        place.rotate(by=awake, keep_files=1)
    place.write(line(record()))
    assert len(rotated_files(place.log)) == 1
    assert turns(asleep) == 12
    place.rotate(by=asleep, keep_files=1)
    assert turns(place.worker()) == 12


def test_files_deleted_while_a_worker_reads_are_taken_from_the_state(place, monkeypatch):
    awake, reader = place.worker(), place.worker()
    place.write(line(record()))
    assert turns(awake) == 1
    real = LogFollower.read_new

    def rotate_first(follower: LogFollower) -> Iterator[bytes]:
        monkeypatch.setattr(LogFollower, "read_new", real)
        for _ in range(3):
            place.rotate(by=awake, keep_files=1)
            place.write(line(record()))
        return real(follower)

    monkeypatch.setattr(LogFollower, "read_new", rotate_first)
    assert turns(reader) == 4
    assert len(rotated_files(place.log)) == 1


def test_an_unwritable_state_loses_nothing(place):
    metrics = place.worker()
    place.state.mkdir()
    place.write(line(record()))
    place.rotate(by=metrics)
    place.write(line(record()))
    assert turns(metrics) == 2
    place.state.rmdir()
    assert turns(place.worker()) == 2
    assert not list(place.log.parent.glob(".metrics_state*"))


def test_any_history_equals_a_recount_for_every_worker(place):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    recount, workers, rotations = Aggregate(), [place.worker(), place.worker()], 0
    for _ in range(300):
        event = rng.random()
        if event < 0.5:
            records = [random_record(rng, ts=place.now) for _ in range(rng.randrange(6))]
            place.write(*map(line, records))
            for one in records:
                recount.add(one)
        elif event < 0.7 and place.log.exists():
            place.rotate(by=rng.choice(workers), keep_files=rng.randrange(1, 4))
            rotations += 1
        elif event < 0.8:
            workers[rng.randrange(2)] = place.worker()  # killed and started again
        else:
            rng.choice(workers).refresh()
    for metrics in [*workers, place.worker()]:
        metrics.refresh()
        assert metrics.totals() == recount
        assert metrics.snapshot("5m")["turns"] == recount.turns
    assert rotations > 20


def test_two_followers_of_two_writers_equal_a_recount(place):
    rng = random.Random(5)
    workers = [place.worker(), place.worker()]
    writers = [
        JsonlWriter(place.log, 8_000, keep_files=2, on_rotate=metrics.on_rotate)
        for metrics in workers
    ]
    recount, futures = Aggregate(), []
    for number in range(600):
        one = random_record(rng)
        recount.add(one)
        futures.append(writers[number % 2].append(line(one)))
        if number % 50 == 0:
            workers[0].refresh()
    assert all(future.result(10) for future in futures)
    for writer in writers:
        writer.close()
    assert sum(writer.rotations for writer in writers) > 20
    for metrics in [*workers, place.worker()]:
        metrics.refresh()
        assert metrics.totals() == recount


def test_windows_count_by_minute_and_forget_after_a_day(place):
    metrics = place.worker()
    for age_s in (0, 240, 3_000, 80_000, 90_000):
        place.write(line(record(ts=NOW - age_s)))
    metrics.refresh()
    assert [metrics.snapshot(w)["turns"] for w in ("5m", "1h", "24h", None)] == [2, 3, 4, 5]
    place.now += 86_400
    metrics.refresh()
    assert [metrics.snapshot(w)["turns"] for w in ("5m", "1h", "24h", None)] == [0, 0, 0, 5]


def test_windows_survive_a_restart(place):
    place.write(line(record(ts=NOW - 600)), line(record()))
    place.rotate(by=place.worker())
    late = place.worker()
    late.refresh()
    assert late.snapshot("5m")["turns"] == 1
    assert late.snapshot("1h")["turns"] == 2


def test_d8_a_time_in_the_future_counts_as_now(place):
    metrics = place.worker()
    place.write(line(record(ts=NOW + 10_000_000)))
    metrics.refresh()
    assert metrics.snapshot("5m")["turns"] == 1


def test_an_unknown_window_says_what_there_is(place):
    with pytest.raises(DataError, match="5m, 1h, 24h"):
        place.worker().snapshot("2 weeks")


def test_d10_what_is_no_record_is_counted_by_reason(place):
    metrics = place.worker()
    place.write(
        b"\xef\xbb\xbf" + line(record()),
        line(record()) + b"\r",
        b"",
        b"\r",
        line(record())[:-5],
        line(record(schema_version=2)),
        b"x" * 3_000_000,
        line(record()),
    )
    assert turns(metrics) == 3
    assert metrics.skipped() == {
        Skipped.EMPTY: 2,
        Skipped.UNREADABLE: 1,
        Skipped.UNKNOWN_VERSION: 1,
        Skipped.TOO_LONG: 1,
    }
    assert metrics.snapshot()["lines_skipped"] == metrics.skipped()


def test_the_state_is_private(place):
    place.write(line(record()))
    place.rotate(by=place.worker())
    assert place.state.stat().st_mode & 0o777 == 0o600


def test_the_series_holds_every_turn_of_its_window_in_order(place):
    metrics = place.worker()
    for minutes_ago in (70, 30, 30, 2, 0):
        place.write(line(record(ts=place.now - 60 * minutes_ago)))
    metrics.refresh()
    for window, turns_in in (("5m", 2), ("1h", 4), ("24h", 5)):
        series = metrics.snapshot(window)["series"]
        assert sum(point["turns"] for point in series) == turns_in
        assert [p["t"] for p in series] == sorted({p["t"] for p in series})
        assert len(series) <= module.SERIES_POINTS + 1
