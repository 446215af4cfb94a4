"""Requests a second of the real server against a no-op endpoint, in one run on one machine.

The server runs in a process of its own with one worker; the load comes from this process, over
keep-alive connections on loopback, bounded in time. Client and server share the cores: quote the
ratios.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

SECONDS = 2.0
CONNECTIONS = 16
ROUNDS = 5
NOOP = """
from fastapi import FastAPI
app = FastAPI()
@app.post("/noop")
async def noop() -> dict[str, str]:
    return {"status": "ok"}
"""
BODY = b'{"prompt": "How do I get a refund?"}'


def rows() -> Iterator[tuple[str, str]]:
    """Yield (figure, value). Serves the current release of this folder."""
    if not Path("models/current.json").exists():
        yield "requests a second", "no model: `make run` once"
        return
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "noop_app.py").write_text(NOOP)
        with server("noop_app:app", 18341, folder, "/docs") as noop, _house(folder) as house:
            rates: dict[str, list[float]] = {"noop": [], "predict": [], "chat": []}
            for _ in range(ROUNDS):
                rates["noop"].append(asyncio.run(_rate(noop, "/noop")))
                rates["predict"].append(asyncio.run(_rate(house, "/predict_intent")))
                rates["chat"].append(asyncio.run(_rate(house, "/chat")))
    best = {name: max(values) for name, values in rates.items()}
    yield "no-op endpoint, requests/s", f"{best['noop']:.0f}"
    for name, path in (("predict", "/predict_intent"), ("chat", "/chat (local, log on)")):
        yield f"{path}, requests/s", f"{best[name]:.0f}"
        yield f"{path} / no-op", f"{best[name] / best['noop']:.2f}"


@contextmanager
def _house(folder: str) -> Iterator[str]:
    home = Path(folder) / "home"
    home.mkdir()
    (home / "models").symlink_to(Path("models").resolve())
    os.environ.update({"CHATLOOP_HOME": str(home), "CHATLOOP_LLM": "none"})
    with server("main:app", 18342, str(Path.cwd()), "/ui/") as address:
        yield address


@contextmanager
def server(
    app: str, port: int, folder: str, ready: str, *, env: dict[str, str] | None = None
) -> Iterator[str]:
    """Run a uvicorn app in `folder` until the block ends; yields its address."""
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(command, cwd=folder, env=env, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(address + ready)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def wait_until_up(url: str) -> None:
    """Wait until `url` answers with 200; raises RuntimeError after half a minute."""
    for _ in range(300):
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError("a benchmark server did not start")


async def _rate(address: str, path: str) -> float:
    """Requests a second over raw keep-alive sockets: the client must not be the bottleneck."""
    host, port = address.removeprefix("http://").split(":")
    head = f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
    request = f"{head}content-length: {len(BODY)}\r\n\r\n".encode() + BODY
    until = time.perf_counter() + SECONDS
    counts = await asyncio.gather(
        *(_connection(host, int(port), request, until) for _ in range(CONNECTIONS))
    )
    return sum(counts) / SECONDS


async def _connection(host: str, port: int, request: bytes, until: float) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    count = 0
    while time.perf_counter() < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"a benchmark call failed: {head[:40]!r}")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        count += 1
    writer.close()
    return count
