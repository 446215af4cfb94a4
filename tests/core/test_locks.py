"""The lock between processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from chatloop.core.locks import exclusive

HOLDER = """
import sys, time
from pathlib import Path
from chatloop.core.locks import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def start_holder(lock: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def take_in_thread(lock: Path) -> tuple[threading.Thread, threading.Event]:
    taken = threading.Event()

    def take() -> None:
        with exclusive(lock):
            taken.set()

    thread = threading.Thread(target=take)
    thread.start()
    return thread, taken


def test_a_killed_holder_frees_the_lock(tmp_path):
    lock = tmp_path / ".lock"
    holder = start_holder(lock)
    thread, taken = take_in_thread(lock)
    assert not taken.wait(0.2)
    holder.kill()
    assert taken.wait(10)
    thread.join()
    holder.communicate()


def test_threads_of_one_process_exclude_each_other(tmp_path):
    lock = tmp_path / ".lock"
    with exclusive(lock):
        thread, taken = take_in_thread(lock)
        assert not taken.wait(0.1)
    assert taken.wait(10)
    thread.join()


def test_a_deleted_lock_file_does_not_let_two_in(tmp_path):
    lock = tmp_path / ".lock"
    done, holding = threading.Event(), threading.Event()

    def hold() -> None:
        with exclusive(lock):
            holding.set()
            done.wait(10)

    holder = threading.Thread(target=hold)
    with exclusive(lock):
        holder.start()
        assert not holding.wait(0.1)
        lock.unlink()
    assert holding.wait(10)
    waiter, taken = take_in_thread(lock)  # what the holder locked is what everybody locks now
    assert not taken.wait(0.1)
    done.set()
    assert taken.wait(10)
    holder.join()
    waiter.join()


def test_an_exception_frees_the_lock(tmp_path):
    try:
        with exclusive(tmp_path / ".lock"):
            raise KeyError
    except KeyError:
        pass
    thread, taken = take_in_thread(tmp_path / ".lock")
    assert taken.wait(10)
    thread.join()


def test_the_lock_file_is_private(tmp_path):
    with exclusive(tmp_path / ".lock"):
        assert (tmp_path / ".lock").stat().st_mode & 0o777 == 0o600
