"""A stand-in Ollama over a real socket: its wire, its order of events, its ways to fail.

The first part of a model's name (before `:`) chooses how it behaves: see `ollama_modes.py`; every
other name answers plainly. By hand:

    python -m tests.ollama_standin --port 11434 --models llama3.2,qwen3 --delay-ms 20

In a test: `async with Standin(models=["plain"]) as ollama:` in the test's own loop, or
`with in_thread(...)` for a client that blocks. Plain attributes may be set from any thread.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.ollama_checks import EMBEDDERS, capabilities, full_name, refusal_of
from tests.ollama_modes import MODES, PLAIN, happy_text
from tests.ollama_reply import Reply, chat_line, error, json_reply

HEAD_REPLIES = ("/", "/api/version", "/api/tags")
PATHS = (*HEAD_REPLIES, "/api/ps", "/api/chat", "/api/show")


class Standin:
    """Counts: `calls` by path, `chats` (bodies), `heads` (of requests), `chat_calls`,
    `open_sockets`, `cancelled` (client left too early), `loads` and `loads_cancelled`.

    Knobs: `models`, `loaded`, `load_s`, `delay_s`, `silent` (accept, say nothing), `frozen` (the
    same for chat only), `tell_capabilities` (in /api/tags), `keep_alive` (else it hangs up after
    each reply without a word). It answers one chat at a time, as OLLAMA_NUM_PARALLEL=1 does.
    """

    def __init__(self, models=("plain",), *, loaded=None, port=0, delay_s=0.0, load_s=0.0):
        self.models = [full_name(m) for m in models]
        self.loaded = {full_name(m) for m in (models if loaded is None else loaded)}
        self.loading = set()
        self.port, self.delay_s, self.load_s = port, delay_s, load_s
        self.silent = self.frozen = False
        self.tell_capabilities = self.keep_alive = True
        self.sizes, self.context_length = {}, 4096
        self.calls, self.chats, self.heads = Counter(), [], []
        self.open_sockets = self.cancelled = self.loads = self.loads_cancelled = 0
        self.generating = self.most_generating = 0
        self.answered = Counter()  # by model, for modes that fail once
        self._parallel = asyncio.Semaphore(1)
        self._server, self._tasks = None, set()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def chat_calls(self):
        """Chat calls that carry messages (loads do not)."""
        return sum(1 for body in self.chats if body.get("messages"))

    def freeze(self):
        self.frozen = True

    def thaw(self):
        self.frozen = False

    async def start(self):
        """Listen; again on the same port after `stop`."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        """Refuse connections and drop those there are, as a killed server does."""
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        self.loaded.clear()

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.stop()

    async def _connected(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        self.open_sockets += 1
        try:
            while await self._serve_one(reader, writer) and self._server.is_serving():
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open_sockets -= 1
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve_one(self, reader, writer) -> bool:
        """Answer one request; False when the connection is over."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, path, _ = head.split("\r\n", 1)[0].split(" ", 2)
        lines = (line.partition(":") for line in head.lower().split("\r\n"))
        lengths = [value for name, _, value in lines if name == "content-length"]
        body = await reader.readexactly(int(lengths[0]) if lengths else 0)
        self.calls[path] += 1
        self.heads.append(head)
        answering = asyncio.create_task(self._answer(method, path, body, writer))
        leaving = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                self.cancelled += 1
                return False
            return await answering and self.keep_alive
        finally:
            for task in (answering, leaving):
                task.cancel()
                with suppress(asyncio.CancelledError, ConnectionError):
                    await task

    async def _while(self, knob):
        while getattr(self, knob):  # noqa: ASYNC110 - polled, so that any thread may turn it
            await asyncio.sleep(0.01)

    async def _answer(self, method, path, body, writer) -> bool:
        await self._while("silent")
        reply = Reply(writer)
        if path == "/api/chat" and method == "POST":
            return await self._chat(body, reply)
        quick = self._quick(method, path, body)
        if quick is None:
            known = path in PATHS
            text = b"405 method not allowed" if known else b"404 page not found"
            quick = int(text[:3]), "text/plain", text
        await reply.whole(*quick, head_only=method == "HEAD")
        return True

    def _quick(self, method, path, body):
        if path == "/api/show" and method == "POST":
            return self._show(json.loads(body or b"{}").get("model", ""))
        if method == "GET" or (method == "HEAD" and path in HEAD_REPLIES):
            return self._looked_up(path)
        return None

    def _show(self, name):
        if full_name(name) not in self.models:
            return error(404, f"model '{name}' not found")
        return json_reply({"details": {}, "model_info": {}, "capabilities": capabilities(name)})

    def _looked_up(self, path):
        if path == "/":
            return 200, "text/plain; charset=utf-8", b"Ollama is running"
        if path == "/api/version":
            return json_reply({"version": "0.32.15"})
        if path == "/api/tags":
            return json_reply({"models": [self._tag(m) for m in list(self.models)], "extra": {}})
        if path == "/api/ps":  # lists also what is still loading, as the real one does
            more = {
                "expires_at": "2099-01-01T00:00:00Z",
                "size_vram": 0,
                "context_length": self.context_length,
            }
            names = sorted(self.loaded | self.loading)
            return json_reply({"models": [self._tag(m) | more for m in names]})
        return None

    def _tag(self, name):
        family = "nomic-bert" if name.split(":")[0] in EMBEDDERS else "llama"
        tag = {
            "name": name, "model": name, "modified_at": "2026-01-02T03:04:05Z",
            "size": self.sizes.get(name, 2_000_000_000), "digest": "0" * 64,
            "details": {"parent_model": "", "format": "gguf", "family": family,
                        "families": [family], "parameter_size": "3B", "unknown": [1]},
        }  # fmt: skip
        if self.tell_capabilities and not name.startswith("thinker-old"):
            tag["capabilities"] = capabilities(name)
        return tag

    async def _chat(self, raw, reply) -> bool:
        try:
            body = json.loads(raw)
        except ValueError:
            text = "unexpected EOF" if raw else "missing request body"
            return await reply.whole(*error(400, text))
        self.chats.append(body)
        name = body.get("model", "")
        refused = refusal_of(name, body, self.models)
        if refused:
            return await reply.whole(*refused)
        await self._while("frozen")
        if not body.get("messages") and body.get("keep_alive") == 0:
            self.loaded.discard(full_name(name))
            line = chat_line(name, "", done=True, done_reason="unload")
            return await reply.whole(*json_reply(line))
        await self._load(full_name(name))
        if not body.get("messages"):
            line = chat_line(name, "", done=True, done_reason="load")
            return await reply.whole(*json_reply(line))
        async with self._parallel:
            self.generating += 1
            self.most_generating = max(self.most_generating, self.generating)
            try:
                mode = MODES.get(name.split(":")[0], PLAIN)
                self.answered[name] += 1
                return await mode(self, name, body, reply)
            finally:
                self.generating -= 1

    async def _load(self, name):
        """A cold start: silence while it loads; who leaves meanwhile cancels the load."""
        if name in self.loaded:
            return
        self.loads += 1
        self.loading.add(name)
        try:
            await asyncio.sleep(self.load_s)
            self.loaded.add(name)
        except asyncio.CancelledError:
            self.loads_cancelled += 1
            raise
        finally:
            self.loading.discard(name)


@contextmanager
def in_thread(kind=Standin, **arguments) -> Iterator[Standin]:
    """A stand-in (of that kind) with a loop and a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def begin():
        standin = kind(**arguments)
        await standin.start()
        return standin

    standin = asyncio.run_coroutine_threadsafe(begin(), loop).result(5)
    try:
        yield standin
    finally:
        asyncio.run_coroutine_threadsafe(standin.stop(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


async def serve(standin):
    await standin.start()
    print(f"stand-in on {standin.address}: {', '.join(standin.models)} (Ctrl-C stops it)")
    await asyncio.Event().wait()


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.ollama_standin", description=__doc__)
    parser.add_argument("--port", type=int, default=11434)
    parser.add_argument("--models", default="llama3.2", help="comma list; modes are names too")
    parser.add_argument("--delay-ms", type=float, default=20.0, help="pause between two pieces")
    parser.add_argument("--load-s", type=float, default=0.0, help="time that loading takes")
    options = parser.parse_args()
    standin = Standin(
        options.models.split(","), loaded=() if options.load_s else None,
        port=options.port, delay_s=options.delay_ms / 1000, load_s=options.load_s,
    )  # fmt: skip
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(standin))


__all__ = ["Standin", "happy_text", "in_thread"]

if __name__ == "__main__":
    main()
