"""Runs the real app on a real loopback socket, in a thread or in processes of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from chatloop.core.settings import Settings
from chatloop.serve.api.app import create_app

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(settings: Settings, *, with_ui: bool = False) -> Iterator[httpx.Client]:
    """Serve in a thread; yields a client of it."""
    port = free_port()
    app = create_app(settings, with_ui=with_ui)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=3
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=240, trust_env=False) as client:
        wait_for(lambda: server.started, "the server to start")
        try:
            yield client
        finally:
            server.should_exit = True
            thread.join(10)


@contextmanager
def running_process(home: Path, *, workers: int = 1, **env: str) -> Iterator[tuple[Any, str]]:
    """Serve `main:app` as a user would, in its own process group; yields (process, address)."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "main:app", "--port", str(port)]
    command += ["--workers", str(workers)] if workers > 1 else []
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "CHATLOOP_HOME": str(home), "CHATLOOP_LLM": "none", **env},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: is_ready(address), "the process to be ready", limit_s=60)
        yield process, address
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)


def is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", trust_env=False, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def wait_for(condition: Any, what: str, limit_s: float = 30.0) -> None:
    until = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until, f"waited {limit_s} s for {what}"
        time.sleep(0.02)


def events(response: httpx.Response) -> Iterator[tuple[str, str]]:
    """Yield (event, data) of a server-sent stream."""
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, line[6:]
