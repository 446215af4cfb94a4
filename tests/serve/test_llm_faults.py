"""O1-O24: whatever a language model's server does, every caller gets a whole, labelled reply.

Each fault is played by a stand-in over a real socket and must be seen to have happened. The calls
of `make test` are a tenth of those of `make test-all`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatloop.core.errors import BackendFault
from tests.ollama_modes import happy_text
from tests.ollama_standin import Standin, in_thread
from tests.serve.doors import DOORS, QUESTION, Seen, ask_chat, ask_stream
from tests.serve.running import free_port, running, running_process, wait_for

LIMITS = {
    "connect_timeout_s": 0.3,
    "first_token_timeout_s": 0.4,
    "gap_timeout_s": 0.4,
    "total_timeout_s": 1.5,
    "load_timeout_s": 30.0,
    "llm_probe_interval_s": 0.2,
    "llm_wait_timeout_s": 0.3,
}
GIVE_UP_S = 10.0
"""Five times what the limits above allow, for a busy machine."""
GROWTH_BYTES = 50_000_000


@dataclass(frozen=True)
class Case:
    """One fault. `whole`: the model's answer arrives all the same."""

    name: str
    mode: str = "plain"
    knobs: dict[str, Any] = field(default_factory=dict)
    whole: bool = False


CASES = [
    Case("O3 accepts and is silent", knobs={"silent": True}),
    Case("O3 silent in chats only", "mute"),
    Case("O4 headers then silence", "headers-only"),
    Case("O5 one byte at a time", "drip"),
    Case("O6 two pieces then silence", "stall"),
    Case("O7 500 out of memory", "oom"),
    Case("O7 500 the runner died", "runner-gone"),
    Case("O8 503 busy", "busy"),
    Case("O11 429", "too-many"),
    Case("O12 HTML with 200", "html"),
    Case("O12 HTML with 502", "html-502"),
    Case("O13 not JSON", "not-json"),
    Case("O13 half a line then close", "cut-inside"),
    Case("O13 a list", "array"),
    Case("O13 nested 100,000 deep", "deep"),
    Case("O14 reset in mid-stream", "reset"),
    Case("O14 cut before the first byte", "cut-first"),
    Case("O14 cut in mid-stream", "cut"),
    Case("O15 ends without done", "no-done"),
    Case("O16 error line after tokens", "error-line"),
    Case("O17 empty answer", "zero"),
    Case("O17 spaces only", "blank"),
    Case("O18 a line without an end", "huge-line"),
    Case("O18 a stream without an end", "endless"),
    Case("O19 invalid UTF-8", "bad-utf8"),
    Case("O19 a code point cut in two", "odd-text", whole=True),
    Case("O20 gzip bomb", "gzip"),
    Case("O21 redirect", "redirect"),
    Case("O22 stale kept-alive connection", "drops-once", whole=True),
    Case("O23 two done lines", "two-dones", whole=True),
    Case("O23 wrong model name", "other-name", whole=True),
    Case("O23 thinking tags", "think-tags", whole=True),
    Case("O23 tool call only", "tool-call"),
    Case("O24 cold start", knobs={"load_s": 3600.0, "loaded": ()}),
]
CALLS = [
    pytest.param(5, id="5 calls"),
    pytest.param(50, id="50 calls", marks=pytest.mark.nightly),
]


def memory_bytes(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def played(case: Case) -> Iterator[Standin]:
    knobs = dict(case.knobs)
    start = {name: knobs.pop(name) for name in ("load_s", "loaded") if name in knobs}
    with in_thread(models=[case.mode], **start) as standin:
        for name, value in knobs.items():
            setattr(standin, name, value)
        yield standin


def check(seen: Seen) -> None:
    body = seen.body
    assert seen.status == 200
    assert body["answer"]
    assert seen.said == body["answer"], "the pieces are not what `done` says"
    if body["degraded"]:
        assert body["degraded_reason"] in {fault.value for fault in BackendFault}
    from_model = body["chosen_model"].startswith("llm/")
    assert from_model or (body["chosen_model"] == "fallback" and body["degraded"])
    assert body["interrupted"] <= (from_model and body["degraded"])
    assert not (from_model and "help text" in body["answer"]), "two voices in one reply"
    assert seen.seconds < GIVE_UP_S


@pytest.mark.parametrize("calls", CALLS)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_every_fault_ends_in_a_whole_labelled_reply(case, calls, trained_home) -> None:
    with played(case) as standin:
        settings = trained_home.settings(llm="auto", ollama_api_url=standin.address, **LIMITS)
        with running(settings) as client:
            seen = [ask(client) for ask in DOORS.values() for _ in range(calls)]
            for one in seen:
                check(one)
            wait_for(lambda: standin.generating == 0, "the generation to be cancelled", 5)
            assert sum(standin.calls.values()) > 0, "the fault never happened"
        wait_for(lambda: standin.open_sockets == 0, "every socket to be closed", 5)
    whole = [s for s in seen if not s.body["degraded"]]
    assert bool(whole) == case.whole
    if case.mode in ("two-dones", "other-name"):
        body = {"messages": [{"role": "user", "content": QUESTION}]}
        assert whole[0].body["answer"] == happy_text(body)


@pytest.mark.nightly
@pytest.mark.parametrize("mode", ["huge-line", "endless", "gzip", "deep"])
def test_no_answer_is_long_enough_to_fill_the_memory(mode, trained_home) -> None:
    limits = {f"CHATLOOP_{name.upper()}": str(value) for name, value in LIMITS.items()}
    with in_thread(models=[mode]) as standin:
        env = {"CHATLOOP_LLM": "auto", "OLLAMA_API_URL": standin.address, **limits}
        with (
            running_process(trained_home.path, **env) as (process, address),
            httpx.Client(base_url=address, trust_env=False, timeout=60) as client,
        ):
            wait_for(lambda: client.get("/ui/").status_code == 200, "the page to be built", 120)
            check(ask_chat(client))
            before = memory_bytes(process.pid)
            for _ in range(8):
                check(ask_stream(client))
            assert memory_bytes(process.pid) - before < GROWTH_BYTES
            assert standin.chat_calls > 5, "the fault never happened"


@contextmanager
def nobody_listens() -> Iterator[str]:
    yield f"http://127.0.0.1:{free_port()}"


@contextmanager
def syn_is_dropped() -> Iterator[str]:
    """A socket whose queue of connections is full: further ones get no answer at all."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        probe = socket.socket()
        probe.settimeout(0.5)
        with pytest.raises(TimeoutError):
            probe.connect(listener.getsockname())
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            for one in (*fillers, probe):
                one.close()


@contextmanager
def another_model() -> Iterator[str]:
    with in_thread(models=["plain"]) as standin:
        yield standin.address


@pytest.mark.parametrize("calls", CALLS)
@pytest.mark.parametrize(
    ("place", "llm", "reason"),
    [
        pytest.param(nobody_listens, "auto", "llm_unreachable", id="O1 refused"),
        pytest.param(syn_is_dropped, "auto", "llm_unreachable", id="O2 SYN dropped"),
        pytest.param(another_model, "absent", "llm_model_missing", id="O10 model absent"),
    ],
)
def test_an_absent_model_is_named_at_once(place, llm, reason, calls, trained_home) -> None:
    with place() as address:
        settings = trained_home.settings(llm=llm, ollama_api_url=address, **LIMITS)
        with running(settings) as client:
            for ask in DOORS.values():
                for _ in range(calls):
                    seen = ask(client)
                    check(seen)
                    assert seen.body["degraded_reason"] == reason
