"""How the models of the stand-in OpenAI-compatible server behave: a function a way to fail."""

from __future__ import annotations

import asyncio
import gzip
import json

from tests.ollama_modes import ODD_TEXT, happy_text, mute, pieces_of
from tests.ollama_reply import json_reply

SSE = "text/event-stream; charset=utf-8"
USAGE = {"prompt_tokens": 26, "completion_tokens": 12, "total_tokens": 38}
DONE = b"data: [DONE]\n\n"


def refused(status, message, code=None):
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return json_reply({"error": error}, status)


def event(value) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def chunk(delta, finish=None, **more):
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [choice]} | more  # fmt: skip


def text_events(text, finish="stop"):
    yield event(chunk({"role": "assistant", "content": ""}))
    for piece in pieces_of(text):
        yield event(chunk({"content": piece}))
    yield event(chunk({}, finish))


def usage_event():
    return event(chunk({}) | {"choices": [], "usage": USAGE})


async def say(standin, body, reply, *, events=None, finish="stop", before=(), after=(DONE,)):
    text = happy_text(body)
    if not body.get("stream"):
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return await reply.whole(
            *json_reply({"id": "chatcmpl-1", "object": "chat.completion", "created": 1,
                         "model": body["model"], "choices": [choice], "usage": USAGE})
        )  # fmt: skip
    await reply.begin(SSE)
    for data in (*before, *(events or text_events(text, finish))):
        await reply.chunk(data)
        await asyncio.sleep(standin.delay_s)
    wants_usage = (body.get("stream_options") or {}).get("include_usage")
    for data in (*((usage_event(),) if wants_usage and after else ()), *after):
        await reply.chunk(data)
    return await reply.end()


async def two_pieces(reply):
    await reply.begin(SSE)
    await reply.chunk(event(chunk({"role": "assistant", "content": "Open "})))
    await reply.chunk(event(chunk({"content": "Settings"})))


def saying(**how):
    """A model that answers plainly but for `how`."""

    async def mode(standin, _model, body, reply):
        return await say(standin, body, reply, **how)

    return mode


def starting(*then: bytes, ends="end"):
    """Two pieces of text, then these events, then the end that is named."""

    async def mode(standin, model, body, reply):
        await two_pieces(reply)
        for data in then:
            await reply.chunk(data)
        if ends == "end":
            return await reply.end()
        if ends == "silence":
            return await mute(standin, model, body, reply)
        await asyncio.sleep(0.02)
        return reply.hang_up(reset=ends == "reset")

    return mode


def only(*events: bytes):
    """Nothing but these events and a clean end."""

    async def mode(_standin, _model, _body, reply):
        await reply.begin(SSE)
        for data in events:
            await reply.chunk(data)
        return await reply.end()

    return mode


def fixed(status, content_type, body, headers=""):
    async def mode(_standin, _model, _body, reply):
        return await reply.whole(status, content_type, body, headers=headers)

    return mode


async def odd_writes(_standin, _model, body, reply):
    """CRLF line ends, and writes that cut lines, words and characters anywhere."""
    data = b"".join(text_events(happy_text(body) + ODD_TEXT)).replace(b"\n\n", b"\r\n\r\n") + DONE
    await reply.begin(SSE)
    for start in range(0, len(data), 7):
        await reply.chunk(data[start : start + 7])
    return await reply.end()


async def drops_once(standin, model, body, reply):
    """Hangs up on the second question, which comes on a kept-alive connection."""
    if standin.answered[model] == 2:
        return reply.hang_up()
    return await say(standin, body, reply)


async def cut_first(_standin, _model, _body, reply):
    return reply.hang_up()


async def comments_only(_standin, _model, _body, reply):
    await reply.begin(SSE)
    while True:
        await reply.chunk(b": OPENROUTER PROCESSING\n\n")
        await asyncio.sleep(0.02)


async def endless(_standin, _model, _body, reply):
    await reply.begin(SSE)
    while True:
        await reply.chunk(event(chunk({"content": "more and more " * 50})))
        await asyncio.sleep(0.001)


async def huge_line(_standin, _model, _body, reply):
    await reply.begin(SSE)
    while True:
        await reply.chunk(b"data: " + b"x" * 65536)


async def echo(standin, _model, body, reply):
    """Refuses with all it was sent in the refusal, as some validating servers do."""
    asked = body["messages"][-1]["content"]
    key = standin.key or "no-key"
    return await reply.whole(*refused(400, f"bad input {asked} for {key}", key))


async def echo_late(standin, _model, _body, reply):
    await two_pieces(reply)
    error = {"message": f"key {standin.key}", "code": standin.key, "type": None}
    await reply.chunk(event({"error": error}))
    return await reply.end()


THOUGHTS = tuple(event(chunk(d)) for d in (
    {"role": "assistant", "content": None, "reasoning_content": "let me "},
    {"reasoning": "see"}, {"content": None}, {},
))  # fmt: skip
AZURE = event(chunk({}) | {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]})
TOOLS = {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}}]}
LATER = "Retry-After: 30\r\n"
PLAIN = saying()
MODES = {
    "plain": PLAIN, "length": saying(finish="length"), "no-done": saying(after=()),
    "done-only": only(event(chunk({"content": "Open Settings"})), DONE),
    "reasoning": saying(before=THOUGHTS), "azure": saying(before=(AZURE,)),
    "keep-alive": saying(before=(b": ping\n\n", b"event: message\nid: 3\nretry: 5\n")),
    "other-choice": saying(before=(event({"choices": [{"index": 1, "delta": {"content": "X"}}]}),)),
    "think-tags": only(event(chunk({"content": "<think>secret</think>\nOpen Settings"}, "stop"))),
    "less-than": only(event(chunk({"content": "<"}, "stop")), DONE),
    "odd-writes": odd_writes, "drops-once": drops_once,
    "finish-then-cut": starting(event(chunk({}, "stop")), ends="cut"),
    "finish-then-silence": starting(event(chunk({}, "stop")), ends="silence"),
    "zero": only(event(chunk({"role": "assistant", "content": ""}, "stop")), usage_event(), DONE),
    "blank": only(event(chunk({"content": " \n "}, "stop")), DONE),
    "tool-call": only(event(chunk(TOOLS)), event(chunk({}, "tool_calls")), DONE),
    "filtered": only(event(chunk({}, "content_filter")), DONE),
    "filtered-late": starting(event(chunk({}, "content_filter"))),
    "error-first": only(event({"error": {"message": "x", "code": "server_error"}})),
    "error-words": only(event({"error": "out of memory"})),
    "error-late": starting(event({"error": {"message": "x", "type": "server_error"}})),
    "lost-error": starting(event(chunk({"role": "assistant", "content": ""}))),
    "ends": starting(), "cut": starting(ends="cut"), "reset": starting(ends="reset"),
    "cut-inside": starting(b'data: {"choices":[{"del', ends="cut"),
    "stall": starting(ends="silence"), "mute": mute, "cut-first": cut_first,
    "comments-only": comments_only, "endless": endless, "huge-line": huge_line,
    "echo": echo, "echo-late": echo_late,
    "whole": fixed(*json_reply(chunk({"content": "Hi"}, "stop"))),
    "html": fixed(200, "text/html", b"<html>\n<body>Sign in</body></html>"),
    "html-502": fixed(502, "text/html", b"<html></html>"), "gone-504": fixed(504, "x/y", b""),
    "oops": fixed(*refused(500, "The server had an error")), "too-long": fixed(*refused(400, "x")),
    "old-vllm": fixed(*json_reply({"object": "error", "type": "NotFoundError", "code": 404}, 404)),
    "wrong-path": fixed(404, "application/json", b'{"detail":"Not Found"}'),
    "busy": fixed(*refused(503, "overloaded")),
    "quota": fixed(*refused(429, "quota", "insufficient_quota")),
    "too-many": fixed(*refused(429, "slow down", "rate_limit_exceeded"), LATER),
    "unauthorized": fixed(*refused(401, "bad key", "invalid_api_key")),
    "forbidden": fixed(*refused(403, "not for you", "unsupported_country")),
    "no-access": fixed(*refused(403, "no access to it", "model_not_found")),
    "redirect": fixed(307, "text/plain", b"", "Location: http://127.0.0.1:9/v1/x\r\n"),
    "not-json": only(b'data: {"choices":[\n\n'), "array": only(b"data: [1]\n\n"),
    "wrong-type": only(b'data: {"choices":[{"delta":{"content":["Hi"]}}]}\n\n'),
    "deep": only(b'data: {"error":' + b"[" * 100_000 + b"\n\n"),
    "bad-utf8": only(b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n'),
    "gzip": fixed(200, SSE, gzip.compress(bytes(1_000_000)), "Content-Encoding: gzip\r\n"),
}  # fmt: skip
