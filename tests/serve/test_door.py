"""The door to a thread: a result, a deadline, and a cancellation that always arrives."""

from __future__ import annotations

import asyncio
import threading

import pytest

from chatloop.serve.api import state as module
from chatloop.serve.api.problems import Problem
from chatloop.serve.api.state import Door


async def test_work_runs_in_a_thread_of_its_own_and_its_result_or_error_comes_back():
    door = Door("test")
    assert await door(threading.current_thread) is not threading.main_thread()
    with pytest.raises(ZeroDivisionError):
        await door(lambda: 1 // 0)
    door.close()


async def test_work_that_takes_too_long_is_a_problem(monkeypatch):
    monkeypatch.setattr(module, "_DOOR_LIMIT_S", 0.05)
    door, released = Door("test"), threading.Event()
    with pytest.raises(Problem, match="did not answer in time"):
        await door(released.wait)
    released.set()
    door.close()


async def test_a_cancellation_is_not_lost_when_the_result_comes_at_the_same_moment(monkeypatch):
    loop = asyncio.get_running_loop()
    result: asyncio.Future[int] = loop.create_future()
    monkeypatch.setattr(loop, "run_in_executor", lambda *_args: result)
    door = Door("test")
    task = asyncio.create_task(door(int))
    await asyncio.sleep(0)
    result.set_result(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    door.close()
