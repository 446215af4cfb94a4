"""How the stand-in Ollama's models behave: one function a way to answer or to fail."""

from __future__ import annotations

import asyncio
import gzip
import time

from tests.ollama_reply import NDJSON, as_line, chat_line, error, json_reply

METRICS = {"total_duration": 4883583458, "load_duration": 1334875, "prompt_eval_count": 26,
           "prompt_eval_duration": 342546000, "eval_count": 12}  # fmt: skip
RUNNER_GONE = (
    "model runner has unexpectedly stopped, this may be due to resource limitations or an "
    "internal error, check ollama server logs for details"
)
OUT_OF_MEMORY = "llama-server process has terminated: exit status 1: out of memory"
OUT_OF_MEMORY_OLD = "model requires more system memory (5.6 GiB) than is available (3.2 GiB)"
OVERFLOW = (
    '{"error":{"code":400,"message":"request (9412 tokens) exceeds the available context size '
    '(8192 tokens), try increasing it","type":"exceed_context_size_error","n_ctx":8192}}'
)
BUSY = "server busy, please try again.  maximum pending requests exceeded"
DIGITS_AS_LETTERS = str.maketrans("0123456789", "abcdefghij")
ODD_TEXT = "a<b \x85 caf\u00e9 \U0001f600 end"


def happy_text(body) -> str:
    """A plausible answer that repeats the customer's last words."""
    asked = [m["content"] for m in body["messages"] if m["role"] == "user"]
    last_words = " ".join(asked[-1].split()[-6:]).rstrip("?!. ") if asked else "that"
    return (
        f"You asked about {last_words}. Open Settings, choose the page for it and follow the "
        "steps there; it takes about a minute."
    )


def pieces_of(text, size=6):
    return [text[i : i + size] for i in range(0, len(text), size)]


async def say(standin, model, body, reply, *, text=None, reason="stop", before=(), more=()):
    text = happy_text(body) if text is None else text
    last = {"done_reason": reason} | METRICS | dict(more)
    if body.get("stream") is False:
        return await reply.whole(*json_reply(chat_line(model, text, done=True, **last)))
    await reply.begin()
    for line in before:
        await reply.line(line)
    for piece in pieces_of(text):
        await reply.line(chat_line(model, piece))
        await asyncio.sleep(standin.delay_s)
    await reply.line(chat_line(model, "", done=True, **last))
    return await reply.end()


async def two_pieces(model, reply):
    await reply.begin()
    await reply.line(chat_line(model, "Open "))
    await reply.line(chat_line(model, "Settings"))


async def plain(standin, model, body, reply):
    return await say(standin, model, body, reply)


async def zero(standin, model, body, reply):
    return await say(standin, model, body, reply, text="")


async def blank(standin, model, body, reply):
    return await say(standin, model, body, reply, text=" \n   \n ")


async def length(standin, model, body, reply):
    return await say(standin, model, body, reply, reason="length")


async def thinker(standin, model, body, reply):
    thoughts = []
    if body.get("think", True):  # absent means on
        for thought in ("let me ", "see"):
            line = chat_line(model, "")
            line["message"]["thinking"] = thought
            thoughts.append(line)
    return await say(standin, model, body, reply, before=thoughts)


async def think_tags(standin, model, body, reply):
    text = "\n<think>The customer wants a secret</think>\n\n" + happy_text(body)
    return await say(standin, model, body, reply, text=text)


async def tool_call_last(standin, model, body, reply):
    line = chat_line(model, "", done=True, done_reason="stop", **METRICS)
    line["message"]["tool_calls"] = [{"function": {"index": 0, "name": "f", "arguments": {}}}]
    await reply.begin()
    await reply.line(line)
    return await reply.end()


async def logprobs(standin, model, body, reply):
    more = {"logprobs": [{"token": "Hel", "logprob": -0.1, "bytes": [72], "top_logprobs": []}]}
    return await say(standin, model, body, reply, before=[chat_line(model, "", **more)])


async def trimmed(standin, model, body, reply):
    """The server has dropped what did not fit and says nothing but how much it read."""
    return await say(standin, model, body, reply, more={"prompt_eval_count": 4096})


async def tool_call(standin, model, body, reply):
    line = chat_line(model, "")
    call = {"function": {"index": 0, "name": "f", "arguments": {"city": "Oslo"}}}
    line["message"]["tool_calls"] = [{"id": "call_ab12cd34"} | call]
    return await say(standin, model, body, reply, text="", before=[line])


async def odd_writes(standin, model, body, reply):
    """Half lines and several lines in one write, and no metrics on the last line."""
    if body.get("stream") is False:
        return await say(standin, model, body, reply)
    lines = [chat_line(model, piece) for piece in pieces_of(happy_text(body))]
    data = b"".join(as_line(x) for x in (*lines, chat_line(model, "", done=True)))
    await reply.begin()
    for start in range(0, len(data), 257):
        await reply.chunk(data[start : start + 257])
        await asyncio.sleep(0.001)
    return await reply.end()


async def odd_text(standin, model, body, reply):
    """Escapes, a raw U+0085, an emoji cut in its middle, unknown keys, no seconds' fraction."""
    line = chat_line(model, ODD_TEXT) | {"created_at": "2026-01-02T03:04:05Z", "new": {"a": [1]}}
    line["message"]["unknown"] = None
    data = as_line(line).replace(b"<", b"\\u003c")
    middle = data.index("\U0001f600".encode()) + 2
    await reply.begin()
    await reply.chunk(data[:middle])
    await asyncio.sleep(0.01)
    await reply.chunk(data[middle:])
    await reply.line(chat_line(model, "", done=True, extra=1))
    return await reply.end()


async def runner_gone_once(standin, model, body, reply):
    if standin.answered[model] == 1:
        return await reply.whole(*error(500, RUNNER_GONE))
    return await say(standin, model, body, reply)


async def error_line(standin, model, body, reply):
    await two_pieces(model, reply)
    text = "an error was encountered while running the model: unexpected EOF"
    await reply.chunk(as_line({"error": text}))
    return await reply.end()


async def no_done(standin, model, body, reply):
    await two_pieces(model, reply)
    return await reply.end()


async def cut(standin, model, body, reply):
    await two_pieces(model, reply)
    return reply.hang_up()


async def cut_inside(standin, model, body, reply):
    await two_pieces(model, reply)
    await reply.chunk(b'{"model":"m","mess')
    return reply.hang_up()


async def reset(standin, model, body, reply):
    await two_pieces(model, reply)
    await asyncio.sleep(0.02)
    return reply.hang_up(reset=True)


async def cut_first(standin, model, body, reply):
    return reply.hang_up()


async def drops_once(standin, model, body, reply):
    """Hangs up on the kept-alive connection it was asked on, once."""
    if standin.answered[model] == 1:
        return reply.hang_up()
    return await say(standin, model, body, reply)


async def stall(standin, model, body, reply):
    await two_pieces(model, reply)
    return await mute(standin, model, body, reply)


async def mute(standin, model, body, reply):
    await asyncio.sleep(3600)
    return False


async def headers_only(standin, model, body, reply):
    await reply.begin()
    return await mute(standin, model, body, reply)


async def two_dones(standin, model, body, reply):
    await reply.begin()
    await reply.line(chat_line(model, happy_text(body)))
    for _ in range(2):
        await reply.line(chat_line(model, "", done=True, done_reason="stop", **METRICS))
    return await reply.end()


async def clock(standin, model, body, reply):
    """Pieces that say when they were written: CLOCK_MONOTONIC in microseconds, digits as a-j."""
    await reply.begin()
    for _ in range(20):
        await asyncio.sleep(0.02)
        moment = f"{time.perf_counter_ns() // 1000}".translate(DIGITS_AS_LETTERS)
        await reply.line(chat_line(model, f"{moment} "))
    await reply.line(chat_line(model, "", done=True, done_reason="stop", **METRICS))
    return await reply.end()


async def other_name(standin, model, body, reply):
    return await say(standin, "somebody-else:70b", body, reply)


async def think_stall(standin, model, body, reply):
    await reply.begin()
    await reply.line(chat_line(model, ""))
    return await mute(standin, model, body, reply)


async def drip(standin, model, body, reply):
    await reply.begin()
    for byte in as_line(chat_line(model, "Open Settings")) * 100:
        await reply.chunk(bytes([byte]))
        await asyncio.sleep(0.05)
    return await reply.end()


async def endless(standin, model, body, reply):
    await reply.begin()
    while True:
        await reply.line(chat_line(model, "more and more " * 50))
        await asyncio.sleep(0.001)


async def huge_line(standin, model, body, reply):
    await reply.begin()
    while True:
        await reply.chunk(b'{"model":"' + b"x" * 65536)


def fixed(status, content_type, body, headers=""):
    async def mode(standin, model, _body, reply):
        return await reply.whole(status, content_type, body, headers=headers)

    return mode


HTML = b"<html><body>Bad gateway</body></html>"
PLAIN = plain
MODES = {
    "plain": plain, "zero": zero, "blank": blank, "length": length, "thinker": thinker,
    "thinker-old": thinker, "think-tags": think_tags, "tool-call": tool_call,
    "tool-call-last": tool_call_last, "logprobs": logprobs, "trimmed": trimmed,
    "overflow": fixed(*error(400, OVERFLOW)),
    "odd-writes": odd_writes, "odd-text": odd_text, "error-line": error_line, "no-done": no_done,
    "cut": cut, "cut-inside": cut_inside, "reset": reset, "cut-first": cut_first,
    "drops-once": drops_once, "runner-gone-once": runner_gone_once, "stall": stall, "mute": mute,
    "drip": drip, "think-stall": think_stall, "headers-only": headers_only,
    "two-dones": two_dones, "other-name": other_name,
    "clock": clock, "endless": endless, "huge-line": huge_line,
    "busy": fixed(*error(503, BUSY)), "runner-gone": fixed(*error(500, RUNNER_GONE)),
    "oom": fixed(*error(500, OUT_OF_MEMORY)), "oom-old": fixed(*error(500, OUT_OF_MEMORY_OLD)),
    "error-first": fixed(200, NDJSON, b'{"error":"an error was encountered: x"}\n'),
    "less-than": fixed(200, NDJSON, as_line(chat_line("m", "<", done=True))),
    "html": fixed(200, "text/html", HTML), "html-502": fixed(502, "text/html", HTML),
    "forbidden": fixed(403, "text/plain", b""),
    "unauthorized": fixed(401, "application/json", b'{"error":"unauthorized","signin_url":"x"}'),
    "too-many": fixed(429, "application/json", b'{"error":"too many requests"}'),
    "redirect": fixed(307, "text/plain", b"", "Location: http://127.0.0.1:9/api/chat\r\n"),
    "not-json": fixed(200, NDJSON, b'{"message":{"content":"Hi"}\n'),
    "wrong-type": fixed(200, NDJSON, b'{"message":{"content":["Hi"]},"done":true}\n'),
    "array": fixed(200, NDJSON, b"[1]\n"), "deep": fixed(200, NDJSON, b'{"x":' + b"[" * 100_000),
    "bad-utf8": fixed(200, NDJSON, b'{"message":{"content":"\xff"},"done":true}\n'),
    "gzip": fixed(200, NDJSON, gzip.compress(bytes(1_000_000)), "Content-Encoding: gzip\r\n"),
}  # fmt: skip
