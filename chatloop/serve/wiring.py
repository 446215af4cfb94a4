"""The only place that turns Settings into objects.

`House` holds what lives as long as the process; `make_turn` binds it to one release.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from chatloop.core.errors import ReleaseError
from chatloop.core.ids import Pseudonyms, TurnIds, load_secret
from chatloop.core.jsonl import JsonlWriter
from chatloop.core.llm_settings import NO_LLM
from chatloop.core.release import CERTIFICATE, GOLDEN, Release, open_release, read_pointer
from chatloop.core.settings import Settings
from chatloop.core.types import OOS
from chatloop.loop.feedback.copy import FILE as CSV_COPY
from chatloop.loop.feedback.copy import CsvCopy
from chatloop.loop.feedback.intake import Intake
from chatloop.loop.feedback.learned import Learner, content_of
from chatloop.loop.feedback.reports import FILE as REPORTS
from chatloop.loop.feedback.reports import Reports
from chatloop.loop.monitor.lookup import find_record
from chatloop.loop.monitor.metrics import LogMetrics
from chatloop.serve.learned import LearnedState
from chatloop.serve.llms import make_models
from chatloop.serve.tickets.deliveries import Deliveries, Door
from chatloop.serve.tickets.desk import Desk
from chatloop.turn.anomaly import AnomalyRules
from chatloop.turn.answer.base import LanguageModel
from chatloop.turn.answer.choose import LearnedChooser
from chatloop.turn.answer.content import Content, load_content
from chatloop.turn.answer.generate import Models
from chatloop.turn.answer.hints import LearnedHints
from chatloop.turn.answer.ladder import Ladder
from chatloop.turn.answer.retrieve import load_retriever
from chatloop.turn.classify import SPEC
from chatloop.turn.classify import load as load_scorer
from chatloop.turn.guard.chain import Chain
from chatloop.turn.guard.pii import redact
from chatloop.turn.receive import Receive
from chatloop.turn.record import Recorder
from chatloop.turn.route import Policy
from chatloop.turn.turn import Turn

if TYPE_CHECKING:  # SQLAlchemy and httpx are loaded by the functions that need them
    from chatloop.loop.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class House:
    """What lives as long as the process, whichever release is served."""

    settings: Settings
    secret: bytes
    ids: TurnIds
    pseudonyms: Pseudonyms
    writer: JsonlWriter
    metrics: LogMetrics
    models: tuple[LanguageModel, ...]
    learned: LearnedState = field(default_factory=LearnedState)


def make_house(settings: Settings) -> House:
    """Open the log and prepare the language models; starts the log's writer thread."""
    given = settings.secret.get_secret_value() if settings.secret else None
    secret = load_secret(settings.data_dir, given)
    metrics = LogMetrics(settings.chat_log, settings.logs_dir / "metrics_state.json")
    writer = JsonlWriter(
        settings.chat_log,
        settings.log_rotate_bytes,
        keep_files=settings.log_keep_files,
        on_rotate=metrics.on_rotate,
    )
    return House(
        settings=settings,
        secret=secret,
        ids=TurnIds(secret),
        pseudonyms=Pseudonyms(secret),
        writer=writer,
        metrics=metrics,
        models=make_models(settings),
    )


def known_labels(settings: Settings) -> set[str]:
    """Return the labels of the current release; none before the first training."""
    pointer = read_pointer(settings.models_dir)
    if pointer is None:
        return set()
    release = open_release(settings.models_dir, pointer.version, pointer.manifest_sha256)
    return set(json.loads(release.read(SPEC))["labels"])


def intake_of(
    settings: Settings, store: Store, secret: bytes, labels: Callable[[], set[str]]
) -> Intake:
    """Return the way in for feedback."""
    return Intake(
        store=store,
        known_labels=labels,
        find_record=partial(find_record, settings.chat_log),
        turn_ids=TurnIds(secret),
        pseudonyms=Pseudonyms(secret),
        csv_copy=CsvCopy(settings.data_dir / CSV_COPY),
        reports=Reports(settings.data_dir / REPORTS),
        limit_chars=settings.prompt_limit_chars,
        new_intent_examples=settings.new_intent_examples,
        learn=make_learner(settings, store).learn,
    )


def make_learner(settings: Settings, store: Store) -> Learner:
    """Return what turns ratings into learned state."""
    return Learner(store, partial(content_of, settings.models_dir))


@contextmanager
def make_intake(settings: Settings) -> Iterator[Intake]:
    """Open store and intake for one command, without a server."""
    from chatloop.loop.store import Store

    given = settings.secret.get_secret_value() if settings.secret else None
    secret = load_secret(settings.data_dir, given)
    store = Store(settings.store_url)
    try:
        yield intake_of(settings, store, secret, partial(known_labels, settings))
    finally:
        store.close()


def make_desk(settings: Settings, store: Store, door: Door) -> Desk:
    """Return where hand-overs become tickets, and where these are sent."""
    if settings.webhook_url is None or settings.webhook_secret is None:
        return Desk(store.tickets, door)
    from chatloop.serve.tickets.webhook import Webhook

    webhook = Webhook(settings.webhook_url, settings.webhook_secret.get_secret_value())
    return Desk(store.tickets, door, Deliveries(store.tickets, webhook, door))


def make_turn(release: Release, house: House) -> Turn:
    """Bind the house to a verified release, and try it on its golden phrases.

    Raises ReleaseError when a part is damaged or a phrase comes out otherwise than measured.
    """
    settings = house.settings
    content = load_content(release)
    threshold, certified, promise = _promise(release)
    models = _models(house, release.version, content)
    turn = Turn(
        version=release.version,
        ids=house.ids,
        receive=Receive(house.pseudonyms, settings.ab_prob, settings.prompt_limit_chars),
        guard=Chain((redact,)),
        classify=load_scorer(release),
        policy=Policy(
            experiment=settings.experiment,
            threshold=threshold,
            certified=certified,
            explore=settings.explore,
            llm_on=settings.llm != NO_LLM,
            hand_over_intents=frozenset(settings.hand_over_intents),
            hand_over_after=settings.hand_over_after,
        ),
        ladder=Ladder(
            content, load_retriever(release, content), models, settings.answer_max_tokens
        ),
        anomalies=AnomalyRules(settings.long_prompt_chars, settings.low_confidence),
        recorder=Recorder(house.writer),
        promise=promise,
    )
    _try_golden(release, turn)
    for unknown in sorted(turn.policy.hand_over_intents - set(content.approved)):
        log.warning("hand_over_intents: release %s has no intent %s", release.version, unknown)
    return turn


def _models(house: House, version: str, content: Content) -> Models:
    """Bind the language models to what was learned under one release."""
    settings = house.settings
    votes = partial(house.learned.votes, version)
    strengths = {model.name: frozenset(model.strengths) for model in settings.used_models}
    return Models(
        house.models,
        choose=LearnedChooser(settings.experiment, votes, content.groups, strengths),
        hint=LearnedHints(content.hints, partial(house.learned.rung, version)),
    )


def _promise(release: Release) -> tuple[float, bool, str]:
    """Return threshold, whether it is certified, and the certificate in words."""
    try:
        certificate = json.loads(release.read(CERTIFICATE))
        words = str(certificate["words"])
        return float(certificate["threshold"]), bool(certificate["certified"]), words
    except (ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"release {release.version}: its certificate is damaged") from error


def _try_golden(release: Release, turn: Turn) -> None:
    for phrase in json.loads(release.read(GOLDEN)):
        intent = turn.classify(phrase["text"])
        found = intent.label if intent.label and intent.in_scope else OOS
        if found != phrase["predicted"]:
            raise ReleaseError(
                f"release {release.version}: a golden phrase comes out as {found}, "
                f"not {phrase['predicted']}; it is not served"
            )
