"""How the stand-in Ollama writes: replies, chunks and lines on the wire."""

from __future__ import annotations

import json
import socket
import struct

CREATED = "2026-01-02T03:04:05.12Z"
NDJSON = "application/x-ndjson"


class Reply:
    """Writes one HTTP reply. Every method returns whether the connection may be used again."""

    def __init__(self, writer):
        self.writer = writer
        self.socket = writer.get_extra_info("socket")

    async def raw(self, data: bytes):
        self.writer.write(data)
        await self.writer.drain()

    async def whole(self, status, content_type, body, *, head_only=False, headers="") -> bool:
        head = (f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\n{headers}"
                f"Content-Length: {len(body)}\r\n\r\n")  # fmt: skip
        await self.raw(head.encode() + (b"" if head_only else body))
        return True

    async def begin(self, content_type=NDJSON):
        await self.raw(
            f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )

    async def chunk(self, data: bytes):
        await self.raw(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def line(self, line: dict):
        await self.chunk(as_line(line))

    async def end(self) -> bool:
        await self.raw(b"0\r\n\r\n")
        return True

    def hang_up(self, *, reset=False) -> bool:
        if reset:
            linger = struct.pack("ii", 1, 0)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return False


def as_line(line: dict) -> bytes:
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def chat_line(model, content, *, done=False, **more):
    message = {"role": "assistant", "content": content}
    return {"model": model, "created_at": CREATED, "message": message, "done": done} | more


def json_reply(value, status=200):
    return status, "application/json; charset=utf-8", json.dumps(value).encode()


def error(status, text):
    return json_reply({"error": text}, status)
