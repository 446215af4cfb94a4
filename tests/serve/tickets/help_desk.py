"""A help desk on a real loopback socket: plays its replies in order and keeps what it was sent."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "a secret shared with the help desk"


@dataclass(frozen=True)
class Post:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass
class HelpDesk:
    """`replies`: a status each, or `hang`; then 204 for ever. `posts`: what arrived."""

    port: int = 0
    replies: deque[int | str] = field(default_factory=deque)
    posts: list[Post] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/tickets"


@contextmanager
def help_desk(*replies: int | str, port: int = 0) -> Iterator[HelpDesk]:
    desk = HelpDesk(replies=deque(replies))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            desk.posts.append(
                Post(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            )
            reply = desk.replies.popleft() if desk.replies else 204
            if reply == "hang":
                desk.released.wait(30)
                return
            self.send_response(int(reply))
            if 300 <= int(reply) < 400:
                self.send_header("Location", f"{desk.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    desk.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield desk
    finally:
        desk.released.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
