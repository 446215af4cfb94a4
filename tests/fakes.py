"""Stand-ins for tests: a scripted language model, a clock that stands still, a log in a list,
and a tiny bot (4 intents and out-of-scope) that is trained for real in a fraction of a second.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from chatloop.core.ids import Pseudonyms, TurnIds
from chatloop.core.release import CERTIFICATE, Release, open_release, read_pointer
from chatloop.core.types import OOS
from chatloop.loop.data.parts import near_duplicate_key
from chatloop.loop.data.rows import FILE, Part, Row, to_csv
from chatloop.loop.evaluate.certificate import Terms
from chatloop.loop.register.build import Built, Training, build_release
from chatloop.loop.register.releases import promote
from chatloop.turn.anomaly import AnomalyRules
from chatloop.turn.answer.base import LanguageModel
from chatloop.turn.answer.content import load_content
from chatloop.turn.answer.generate import Models
from chatloop.turn.answer.ladder import Ladder
from chatloop.turn.answer.retrieve import load_retriever
from chatloop.turn.classify import load as load_scorer
from chatloop.turn.guard.pii import redact
from chatloop.turn.receive import Receive
from chatloop.turn.record import Recorder
from chatloop.turn.route import Policy
from chatloop.turn.turn import Turn

SECRET = b"a secret of enough length"
NOW = 1_790_000_000.0


@dataclass
class FixedClock:
    """Tells `now` until somebody sets another."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class ListSink:
    """A log in a list; `on_file` is what each line is answered with, None = never answered."""

    lines: list[bytes] = field(default_factory=list)
    on_file: bool | None = True

    def append(self, line: bytes) -> Future[bool]:
        self.lines.append(line)
        future: Future[bool] = Future()
        if self.on_file is not None:
            future.set_result(self.on_file)
        return future

    def append_all(self, lines: Sequence[bytes]) -> Future[int]:
        self.lines += lines
        future: Future[int] = Future()
        if self.on_file is not None:
            future.set_result(len(lines) if self.on_file else 0)
        return future

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


WAYS = {
    Part.FIT: ("how do i {}", "please {}", "i want to {} now", "i need to {}"),
    Part.CALIBRATE: ("could you {} for me",),
    Part.TEST: ("can somebody {} today",),
}
ASKS = {
    "get_invoice": ("see my invoice", "download the bill", "print last month's invoice"),
    "refund_request": ("have my money back", "receive a refund", "be refunded"),
    "reset_password": ("reset my password", "change the password", "choose a new password"),
    "water_plants": ("water the plants", "sprinkle the garden", "water the office ferns"),
    OOS: ("cook rice", "name the tallest mountain", "sing a happy song"),
}
"""`water_plants` has no approved answer and no seed."""

SURE, UNSURE = "how do i reset my password", "invoice refund password"
NO_ANSWER, OUTSIDE, UNKNOWN = "please water the plants", "sing a happy song", "密码 ☂"
GOLDEN = (("please reset my password", "reset_password"), ("please see my invoice", "get_invoice"))

ANSWERS = """\
version: 1
answers:
  reset_password:
    answer: "Open the sign-in page and choose Forgot password."
    page: "passwords"
  get_invoice:
    answer: "All invoices are under Settings, Billing."
    page: "billing"
  refund_request:
    answer: "Ask for a refund within 14 days under Settings, Billing."
"""
PAGES = {
    "passwords": """\
---
title: "Passwords"
---

## Reset a password
Choose **Forgot password** on the sign-in page. The link in the mail works for one hour.

## Rules for a good password
A password has at least twelve characters.
""",
    "billing": """\
---
title: "Billing"
---

## Find an invoice
Every invoice is a PDF under Settings, Billing, Invoices.

## Ask for a refund
Money goes back to the card within ten days.

## Change the plan
Choose a larger or a smaller plan at any time.
""",
    "people": """\
---
title: "People"
---

## Invite somebody
Send an invitation by mail from the members list.

## Remove somebody
Their tasks stay in the workspace.

## Roles
Owners pay, admins manage, members work.
""",
}
MESSAGES = {
    "passage_intro_llm_away": "The model is away:",
    "passage_intro_llm_loading": "The model is loading:",
    "passage_intro_llm_failed": "The model failed:",
    "passage_intro_local": "From our help pages:",
    "hand_over": "Please write to our team.",
    "not_covered": "No help page says that.",
    "hand_over_asked": "A person can take it from here.",
    "hand_over_policy": "Only a person may decide this.",
    "hand_over_repeated": "A person should look at this.",
    "suggestions_intro": "Did you mean one of these?",
    "talk_to_person_question": "Talk to a person?",
    "refusal": "I cannot help with that.",
    "interrupted_note": "The answer was interrupted.",
    "empty_message": "Please type a question.",
    "approved_degraded_intro": "Our standard answer:",
}
HINTS = ("Be concise.", "Be detailed.", "Quote the source.", "Ask back.")
PROMPT = "You are the support assistant.\n=== help ===\n{passages}\n=== end ===\n"


def tiny_rows() -> list[Row]:
    """About 90 rows; whole ways of asking make up the calibrate and the test part."""
    return [
        Row(text := way.format(ask), intent, "seed:test", near_duplicate_key(text), part)
        for part, ways in WAYS.items()
        for intent, asks in ASKS.items()
        for way, ask in product(ways, asks)
    ]


def write_content(home: Path) -> None:
    """Lay out data/, models/ and logs/ with the tiny bot's content."""
    data = home / "data"
    for folder in (data / "knowledge", home / "models", home / "logs"):
        folder.mkdir(parents=True)
    (data / FILE).write_bytes(to_csv(tiny_rows()))
    (data / "answers.yaml").write_text(ANSWERS, "utf-8")
    for name, page in PAGES.items():
        (data / "knowledge" / f"{name}.md").write_text(page, "utf-8")
    sentences = "".join(f"  {key}: {json.dumps(text)}\n" for key, text in MESSAGES.items())
    (data / "messages.yaml").write_text(f"version: 1\nen:\n{sentences}", "utf-8")
    rungs = "".join(f"  - {json.dumps(hint)}\n" for hint in HINTS)
    (data / "hints.yaml").write_text(f"version: 1\nstart: 0\nrungs:\n{rungs}", "utf-8")
    (data / "prompt.txt").write_text(PROMPT, "utf-8")
    golden = "".join(f"{text},{intent}\n" for text, intent in GOLDEN)
    (data / "golden.csv").write_text(f"text,intent\n{golden}", "utf-8")


def tiny_training(seed: int = 7) -> Training:
    return Training(rows=tiny_rows(), terms=Terms(0.05, 0.1, 0.2), seed=seed)


def tiny_built(home: Path, training: Training | None = None) -> Built:
    """Train and write a release from the content of `home`; it is not promoted."""
    built = training or tiny_training()
    return build_release(home / "data", home / "models", built, lambda _: None)


def tiny_release(home: Path, training: Training | None = None) -> Release:
    """Train, write and promote a release from the content of `home`."""
    release = tiny_built(home, training).release
    promote(home / "models", release.version, "test")
    return release


def current_release(home: Path) -> Release:
    pointer = read_pointer(home / "models")
    assert pointer is not None
    return open_release(home / "models", pointer.version, pointer.manifest_sha256)


def tiny_turn(
    release: Release,
    *,
    model: LanguageModel | None = None,
    sink: ListSink | None = None,
    guard: Callable[[str], Any] = redact,
    ab_prob: float = 0.0,
    **changes: Any,
) -> Turn:
    """Bind a turn to `release`; `changes` replace fields of its Policy (`llm_on`, `explore`)."""
    content = load_content(release)
    certificate = json.loads(release.read(CERTIFICATE))
    policy = Policy(
        experiment="test",
        threshold=certificate["threshold"],
        certified=certificate["certified"],
        explore=0.0,
        llm_on=model is not None,
    )
    return Turn(
        version=release.version,
        ids=TurnIds(SECRET),
        receive=Receive(Pseudonyms(SECRET), ab_prob, 2000),
        guard=guard,
        classify=load_scorer(release),
        policy=replace(policy, **changes),
        ladder=Ladder(content, load_retriever(release, content), Models((model,) if model else ())),
        anomalies=AnomalyRules(long_prompt_chars=800, low_confidence=0.35),
        recorder=Recorder(sink or ListSink()),
    )
