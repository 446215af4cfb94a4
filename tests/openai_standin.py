"""A stand-in OpenAI-compatible server over a real socket; its models are in `openai_modes.py`.

The model's name chooses how it answers or fails. By hand:

    python -m tests.openai_standin --port 8001 --models some-model --delay-ms 20
"""

from __future__ import annotations

import argparse
import asyncio
import json
from contextlib import suppress

from tests.ollama_reply import Reply, json_reply
from tests.ollama_standin import Standin, serve
from tests.openai_modes import MODES, PLAIN, refused


class OpenAiStandin(Standin):
    """As Standin, whose knobs and counts it has.

    `key`: what it asks for, None = nothing. `lists`: whether it knows GET /models; `lists_status`
    is what that call answers. `parallel`: answers at once.
    """

    def __init__(self, models=("plain",), *, key=None, port=0, delay_s=0.0, parallel=8):
        super().__init__((), port=port, delay_s=delay_s)
        self.models = list(models)
        self.key, self.lists, self.lists_status = key, True, 200
        self._parallel = asyncio.Semaphore(parallel)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def last_head(self):
        return self.heads[-1].lower()

    async def _answer(self, method, path, body, writer) -> bool:
        await self._while("silent")
        reply, head = Reply(writer), self.last_head
        if self.key is not None and f"authorization: bearer {self.key}".lower() not in head:
            return await reply.whole(*refused(401, "Incorrect API key", "invalid_api_key"))
        if (method, path) == ("POST", "/v1/chat/completions"):
            return await self._chat(body, reply)
        if (method, path) == ("GET", "/v1/models") and self.lists:
            models = [{"id": m, "object": "model", "created": 1, "owned_by": "x"}
                      for m in self.models]  # fmt: skip
            return await reply.whole(
                *json_reply({"object": "list", "data": models}, self.lists_status)
            )
        return await reply.whole(404, "application/json", b'{"detail":"Not Found"}')

    async def _chat(self, raw, reply) -> bool:
        body = json.loads(raw)
        self.chats.append(body)
        name = body["model"]
        await self._while("frozen")
        if name not in self.models:
            text = f"The model `{name}` does not exist"
            return await reply.whole(*refused(404, text, "model_not_found"))
        async with self._parallel:
            self.generating += 1
            self.most_generating = max(self.most_generating, self.generating)
            try:
                self.answered[name] += 1
                return await MODES.get(name, PLAIN)(self, name, body, reply)
            finally:
                self.generating -= 1


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.openai_standin", description=__doc__)
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--models", default="some-model", help="comma list; modes are names too")
    parser.add_argument("--delay-ms", type=float, default=20.0, help="pause between two pieces")
    parser.add_argument("--key", help="the key that it asks for")
    options = parser.parse_args()
    standin = OpenAiStandin(
        options.models.split(","), key=options.key, port=options.port,
        delay_s=options.delay_ms / 1000,
    )  # fmt: skip
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(standin))


if __name__ == "__main__":
    main()
