"""The durable log: what is acknowledged is on file, whatever happens to the writers."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from chatloop.core import logfile
from chatloop.core.jsonl import QUEUE_LINES, JsonlWriter
from chatloop.core.locks import exclusive
from chatloop.core.logfile import rotate, rotated_files, rotated_name

BIG = 1_000_000_000
LIMIT_S = 10.0


def all_lines(log: Path) -> list[bytes]:
    data = b"".join(path.read_bytes() for path in [*rotated_files(log), log] if path.exists())
    return data.splitlines()


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "logs" / "chat.log"


@pytest.fixture
def open_writer():
    """Make writers that are closed when the test ends."""
    writers: list[JsonlWriter] = []

    def make(path: Path, rotate_bytes: int = BIG, keep_files: int = 1000, **more) -> JsonlWriter:
        writers.append(JsonlWriter(path, rotate_bytes, keep_files=keep_files, **more))
        return writers[-1]

    yield make
    for writer in writers:
        writer.close()


def put(writer: JsonlWriter, *lines: bytes) -> list[bool]:
    return [future.result(LIMIT_S) for future in [writer.append(line) for line in lines]]


def test_acknowledged_lines_are_on_file_in_order(log, open_writer):
    writer = open_writer(log)
    assert all(put(writer, *(b"%d" % n for n in range(1000))))
    assert log.read_bytes() == b"".join(b"%d\n" % n for n in range(1000))
    assert (writer.written, writer.dropped, writer.healthy) == (1000, 0, True)


def test_files_are_private(log, open_writer):
    put(open_writer(log), b"{}")
    assert log.stat().st_mode & 0o777 == 0o600
    assert log.parent.stat().st_mode & 0o777 == 0o700


def test_lines_given_together_are_counted_from_the_first_and_dropped_together(log, open_writer):
    writer = open_writer(log)
    assert writer.append_all([b"1", b"2", b"3"]).result(LIMIT_S) == 3
    assert writer.append_all([b"4", b"two\nlines"]).result(LIMIT_S) == 0
    assert (log.read_bytes(), writer.written, writer.dropped) == (b"1\n2\n3\n", 3, 2)


def test_close_writes_what_is_queued(log):
    writer = JsonlWriter(log, BIG, keep_files=1)
    with_lock_held = [writer.append(b"%d" % n) for n in range(500)]
    writer.close()
    assert all(future.result(0) for future in with_lock_held)
    assert len(all_lines(log)) == 500
    assert writer.append(b"late").result(0) is False


def test_d7_one_record_is_one_physical_line(log, open_writer):
    texts = ["a\nb", "a\r\nb", "\u2028\u2029\u0085", "\0\x1b[31mred", '"}\n{"id":1}', "x" * 2**20]
    writer = open_writer(log)
    assert all(put(writer, *(json.dumps({"t": t}, ensure_ascii=False).encode() for t in texts)))
    lines = log.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line)["t"] for line in lines] == texts
    assert not any(byte < 0x20 for line in lines for byte in set(line))


def test_d7_a_line_break_inside_a_line_is_refused(log, open_writer):
    writer = open_writer(log)
    assert put(writer, b'{"a":\n1}', b"{}") == [False, True]
    assert (log.read_bytes(), writer.dropped) == (b"{}\n", 1)


def test_a_torn_tail_is_set_aside_and_counted(log, open_writer):
    log.parent.mkdir()
    log.write_bytes(b'{"id":1}\n{"id":2,"te')
    writer = open_writer(log)
    assert put(writer, b'{"id":3}', b'{"id":4}') == [True, True]
    assert log.read_bytes() == b'{"id":1}\n{"id":2,"te\n{"id":3}\n{"id":4}\n'
    assert writer.torn_tails == 1


def test_short_writes_are_continued(log, open_writer, monkeypatch):
    real, calls = os.write, []

    def short(fd: int, data: bytes) -> int:
        calls.append(len(data))
        return real(fd, data[:7])

    monkeypatch.setattr(logfile.os, "write", short)
    lines = [b"%040d" % n for n in range(5)]
    assert all(put(open_writer(log), *lines))
    assert all_lines(log) == lines
    assert len(calls) > 20


def test_d3_a_full_disk_cuts_back_to_the_last_whole_line_and_heals(log, open_writer, monkeypatch):
    real, room = os.write, [95]

    def full(fd: int, data: bytes) -> int:
        if room[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = real(fd, data[: room[0]])
        room[0] -= done
        return done

    monkeypatch.setattr(logfile.os, "write", full)
    writer = open_writer(log)
    lines = [b"%029d" % n for n in range(5)]  # 30 bytes each: three fit
    with exclusive_of(writer, log):
        futures = [writer.append(line) for line in lines]
    assert [future.result(LIMIT_S) for future in futures] == [True] * 3 + [False] * 2
    assert log.read_bytes() == b"".join(line + b"\n" for line in lines[:3])
    assert not writer.healthy
    assert "No space" in (writer.last_error or "")
    room[0] = BIG
    assert put(writer, b"after") == [True]
    assert all_lines(log) == [*lines[:3], b"after"]
    assert (writer.healthy, writer.written, writer.dropped) == (True, 4, 2)


class exclusive_of:  # noqa: N801 - reads as a context manager
    """Hold the log's lock with one line under way, so that what is queued goes in one batch."""

    def __init__(self, writer: JsonlWriter, log: Path) -> None:
        log.parent.mkdir(mode=0o700, exist_ok=True)
        self._lock = exclusive(log.parent / ".lock")

    def __enter__(self) -> None:
        self._lock.__enter__()

    def __exit__(self, *reason) -> None:
        time.sleep(0.05)
        self._lock.__exit__(*reason)


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limit there")
def test_d3_a_real_short_write_at_the_file_size_limit(log):
    script = """
import resource, sys
from pathlib import Path
from chatloop.core.jsonl import JsonlWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 2000))
writer = JsonlWriter(Path(sys.argv[1]), 10**9, keep_files=1)
acks = [future.result(10) for future in [writer.append(b"x" * 299) for _ in range(10)]]
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
acks.append(writer.append(b"y" * 299).result(10))
print(acks.count(True), writer.dropped, writer.healthy)
writer.close()
"""
    made = subprocess.run(
        [sys.executable, "-c", script, str(log)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert made.stdout == "4 7 True\n"
    assert all_lines(log) == [b"x" * 299] * 3 + [b"y" * 299]


@pytest.mark.parametrize("obstacle", ["a file where the folder should be", "a folder as the log"])
def test_d4_an_unwritable_log_drops_and_heals_by_itself(log, open_writer, obstacle):
    in_the_way = log.parent if obstacle.startswith("a file") else log
    if in_the_way is log:
        log.mkdir(parents=True)
    else:
        in_the_way.write_bytes(b"")
    writer = open_writer(log)
    assert put(writer, b"1") == [False]
    assert not writer.healthy
    in_the_way.rmdir() if in_the_way is log else in_the_way.unlink()
    assert put(writer, b"2") == [True]
    assert (writer.healthy, writer.dropped, all_lines(log)) == (True, 1, [b"2"])


def test_d5_moved_and_deleted_live_files_are_replaced(log, open_writer):
    writer = open_writer(log)
    put(writer, b"1")
    log.rename(log.with_name("elsewhere"))
    put(writer, b"2")
    log.unlink()
    put(writer, b"3")
    assert log.with_name("elsewhere").read_bytes() == b"1\n"
    assert log.read_bytes() == b"3\n"


def test_d6_a_failed_sync_is_a_failed_file(log, open_writer, monkeypatch):
    real, failures, opened = os.fsync, [], []
    failed = threading.Event()

    def failing(fd: int) -> None:
        if not failures:
            failures.append(fd)
            failed.set()
            raise OSError(errno.EIO, "Input/output error")
        real(fd)

    def count_opens(path, *more) -> int:
        opened.append(path)
        return real_open(path, *more)

    real_open = os.open
    monkeypatch.setattr(logfile, "_sync", failing)
    monkeypatch.setattr(logfile.os, "open", count_opens)
    writer = open_writer(log, sync_interval_s=0.01)
    put(writer, b"1")
    assert failed.wait(LIMIT_S)
    wait_until(lambda: writer.last_error)
    assert not writer.healthy
    assert (writer.sync_failures, writer.last_error) == (1, "[Errno 5] Input/output error")
    assert put(writer, b"2") == [True]
    wait_until(lambda: writer.healthy)
    assert opened.count(log) == 2
    assert all_lines(log) == [b"1", b"2"]


def wait_until(condition) -> None:
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_full_queue_drops_and_counts(log, open_writer):
    writer = open_writer(log)
    with exclusive_of(writer, log):
        first = writer.append(b"first")
        wait_until(lambda: not writer._queue)  # the thread holds it and waits for the lock
        futures = [writer.append(b"x") for _ in range(QUEUE_LINES + 5)]
        assert [future.result(0) for future in futures[-5:]] == [False] * 5
        assert not first.done()
    assert first.result(LIMIT_S)
    assert all(future.result(LIMIT_S) for future in futures[:-5])
    assert writer.dropped == 5


def test_a_caller_that_leaves_does_not_take_its_record_along(log, open_writer):
    future = open_writer(log).append(b"1")
    assert not future.cancel()
    assert future.result(LIMIT_S) is True


def test_rotation_keeps_the_newest_files_and_tells_under_the_lock(log, open_writer):
    told: list[tuple[str, bool]] = []

    def on_rotate(rotated: Path) -> None:
        told.append((rotated.name, log.exists()))
        raise RuntimeError("a listener's fault is not the log's")

    writer = open_writer(log, 100, keep_files=3, on_rotate=on_rotate)
    assert all(put(writer, *(b"%039d" % n for n in range(20))))  # two lines a file
    assert writer.rotations == 9
    assert [int(line) for line in all_lines(log)] == list(range(12, 20))
    assert [path.name for path in rotated_files(log)] == [name for name, _ in told[-3:]]
    assert not any(live for _, live in told)
    assert max(path.stat().st_size for path in rotated_files(log)) <= 100


def test_d8_a_clock_set_back_overwrites_no_rotated_file(log):
    log.parent.mkdir()
    future = log.with_name(f"{log.name}.29990101T000000999999Z")
    future.write_bytes(b"old\n")
    log.write_bytes(b"new\n")
    assert rotate(log).name == f"{log.name}.29990101T000001000000Z"
    assert [path.read_bytes() for path in rotated_files(log)] == [b"old\n", b"new\n"]


def test_foreign_files_are_not_taken_for_rotated_ones(log):
    from datetime import UTC, datetime

    log.parent.mkdir()
    own = rotated_name(log, datetime.now(UTC))
    for name in [own, f"{log.name}.1", f"{own}.gz", f"x{own}", "metrics_state.json"]:
        (log.parent / name).touch()
    assert [path.name for path in rotated_files(log)] == [own]
