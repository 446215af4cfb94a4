"""The durable log under several processes: kills and rotations take no acknowledged line."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from chatloop.core.logfile import rotated_files

BIG = 1_000_000_000
LIMIT_S = 10.0

WRITER = """
import os, random, sys, time
from pathlib import Path
from chatloop.core.jsonl import JsonlWriter
log, name, count, limit, longest = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
writer = JsonlWriter(Path(log), limit, keep_files=100_000)
rng = random.Random(name)
print("up", flush=True)
waiting = []
for number in range(count):
    pad = "x" * rng.randint(100, longest)
    line = b'{"id":"%s-%d","pad":"%s"}' % (name.encode(), number, pad.encode())
    waiting.append((number, writer.append(line)))
    if len(waiting) == 8:
        for done, future in waiting:
            if future.result():
                os.write(1, b"%s-%d\\n" % (name.encode(), done))
        waiting.clear()
        time.sleep(0.002)
for done, future in waiting:
    if future.result():
        os.write(1, b"%s-%d\\n" % (name.encode(), done))
writer.close()
"""


class Child:
    """A writer in a process of its own; `acked` are the ids that it saw acknowledged."""

    def __init__(self, log: Path, name: str, *, count: int, limit: int, longest: int) -> None:
        arguments = [str(log), name, str(count), str(limit), str(longest)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE, text=True
        )
        self.acked: list[str] = []
        self.up = threading.Event()
        self.first_ack = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not line.endswith("\n"):
                return  # killed while it told: not known as acknowledged
            if self.up.is_set():
                self.acked.append(line.strip())
                self.first_ack.set()
            self.up.set()

    def kill(self) -> int:
        self._process.kill()
        return self.wait()

    def wait(self) -> int:
        code = self._process.wait(60)
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code


def ids(log: Path) -> tuple[list[str], int]:
    """The ids of all whole lines in the log, and how many lines are torn."""
    found, bad = [], 0
    for path in [*rotated_files(log), log]:
        with path.open("rb") as file:
            for line in file:
                whole = re.fullmatch(rb'\{"id":"([^"]+)","pad":"x+"\}\n', line)
                if whole:
                    found.append(whole[1].decode())
                else:
                    bad += 1
    return found, bad


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "logs" / "chat.log"


def test_d2_a_killed_writer_takes_no_acknowledged_line_of_others(log):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    start = {"count": 10**9, "limit": BIG, "longest": 70_000}
    writers = [Child(log, f"w{n}", **start) for n in range(3)]
    kills, acked = 0, []
    for round_number in range(12):
        assert all(writer.first_ack.wait(LIMIT_S) for writer in writers)
        time.sleep(rng.uniform(0, 0.03))
        victim = writers.pop(rng.randrange(3))
        kills += victim.kill() == -signal.SIGKILL
        acked += victim.acked
        writers.append(Child(log, f"r{round_number}", **start))
        assert writers[-1].up.wait(LIMIT_S)
        time.sleep(0.05)
    for writer in writers:
        kills += writer.kill() == -signal.SIGKILL
        acked += writer.acked
    found, bad = ids(log)
    assert kills == 15
    assert len(acked) > 100
    assert set(acked) <= set(found)
    assert len(found) == len(set(found))
    assert bad <= kills


def test_d5_four_processes_rotate_and_lose_nothing(log):
    children = [Child(log, f"w{n}", count=1000, limit=20_000, longest=300) for n in range(4)]
    assert [child.wait() for child in children] == [0] * 4
    found, bad = ids(log)
    assert bad == 0
    assert sorted(found) == sorted(f"w{n}-{i}" for n in range(4) for i in range(1000))
    assert sorted(found) == sorted(one for child in children for one in child.acked)
    assert len(rotated_files(log)) > 20
    assert max(path.stat().st_size for path in rotated_files(log)) <= 20_000
