"""Turns accepted labels into training rows, and fits the other rows to them.

Every labelled example goes to fit, so that the next retrain shows it. What it says about a text
outweighs what the base rows say, and its family leaves calibrate and test as a whole: those parts
never hold what the model was told.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from chatloop.core.errors import DataError
from chatloop.core.feedback import Feedback, FeedbackType
from chatloop.core.types import OOS
from chatloop.loop.data.parts import near_duplicate_key
from chatloop.loop.data.rows import Part, Row
from chatloop.loop.feedback.copy import AddedRow, CsvCopy
from chatloop.loop.feedback.intake import LABELLED
from chatloop.loop.feedback.labels_form import LabelVerdict, check_label
from chatloop.loop.store import FeedbackStatus, ProposedIntent, Store
from chatloop.turn.guard.pii import redact
from chatloop.turn.receive import normalise

BY_HAND = "csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledRows:
    """All rows to train with, and what happened to the feedback on the way.

    `rows`: base rows, changed where feedback says so, then the feedback rows. `used`: feedback
    rows among them. `held`: labels that wait for a review or for more examples of their intent.
    `refused`: rows of the CSV file that cannot be taken, explained in `problems`. `replaced`:
    base rows and older labels that a newer label of the same text outweighs. `moved_families`:
    families that left calibrate or test. `waiting`: new intent -> (examples, examples needed).
    """

    rows: tuple[Row, ...]
    used: int
    held: int
    refused: int
    replaced: int
    moved_families: int
    waiting: dict[str, tuple[int, int]]
    problems: tuple[str, ...]


def training_rows(
    store: Store,
    base_rows: Iterable[Row],
    *,
    known_labels: set[str],
    csv_copy: CsvCopy,
    new_intent_examples: int,
) -> LabelledRows:
    """Return the base rows with all accepted feedback worked in.

    Takes the hand-added rows of the CSV file into the store first, and completes that file.
    """
    base = tuple(base_rows)
    known = known_labels | {OOS}
    refused, problems = _take_in(store, known, csv_copy)
    labelled = [f for f in store.feedback(types=LABELLED) if f.text and f.label]
    accepted = [f for f in labelled if f.status == FeedbackStatus.ACCEPTED]
    newest = _newest_labels(accepted)
    current = [f for f in accepted if newest[_family(f)] == f.label]
    waiting = _waiting(newest, known, new_intent_examples)
    taken = [f for f in current if f.label not in waiting]
    merged = _merge(base, {_family(f): f for f in taken})
    return LabelledRows(
        rows=merged.rows,
        used=merged.used,
        held=len(labelled) - len(accepted) + len(current) - len(taken),
        refused=refused,
        replaced=merged.replaced + len(accepted) - len(current),
        moved_families=merged.moved_families,
        waiting=waiting,
        problems=problems,
    )


def _newest_labels(accepted: list[Feedback]) -> dict[str, str]:
    """Return the label given last to each family; `accepted` is in the order of time."""
    return {_family(f): f.label for f in accepted if f.label}


def _family(feedback: Feedback) -> str:
    return near_duplicate_key(feedback.text or "")


def _waiting(newest: dict[str, str], known: set[str], need: int) -> dict[str, tuple[int, int]]:
    have: dict[str, int] = {}
    for label in newest.values():
        if label not in known:
            have[label] = have.get(label, 0) + 1
    return {label: (count, need) for label, count in sorted(have.items()) if count < need}


@dataclass(frozen=True, slots=True)
class _Merged:
    rows: tuple[Row, ...]
    used: int
    replaced: int
    moved_families: int


def _merge(base: tuple[Row, ...], taken: dict[str, Feedback]) -> _Merged:
    """Work one example a family into the base rows; both meet by near-duplicate key."""
    keys = [near_duplicate_key(row.text) for row in base]
    met = {key: row for key, row in zip(keys, base, strict=True) if key in taken}
    to_fit = {row.family for key, row in zip(keys, base, strict=True) if key in taken}
    moved = {row.family for row in base if row.family in to_fit and row.split != Part.FIT}
    kept = [
        replace(row, split=Part.FIT) if row.family in moved else row
        for key, row in zip(keys, base, strict=True)
        if key not in taken or taken[key].label == row.intent
    ]
    added = [
        Row(f.text or "", f.label or "", "feedback", met[key].family if key in met else key, "fit")
        for key, f in taken.items()
    ]
    return _Merged((*kept, *added), len(added), len(base) - len(kept), len(moved))


def _take_in(store: Store, known: set[str], csv_copy: CsvCopy) -> tuple[int, tuple[str, ...]]:
    """Bring store and CSV file level; return how many rows were refused, and all problems."""
    stored = store.feedback()
    try:
        added, problems = csv_copy.read_added({f.feedback_id for f in stored})
        of_ours = (f for f in stored if f.feedback_type in LABELLED and f.source != BY_HAND)
        csv_copy.append_missing(of_ours)
    except DataError as error:  # a file that a person broke must not stop a retrain
        return 0, (str(error),)
    keys = {f.idempotency_key for f in stored}
    for row in added:
        problem = _take(store, row, known, keys)
        if problem:
            problems.append(f"{csv_copy.path.name}, row {row.number}: {problem}")
    return len(problems), tuple(problems)


def _take(store: Store, row: AddedRow, known: set[str], keys: set[str | None]) -> str | None:
    """Store one hand-added row as accepted, once; return what is wrong with it instead."""
    text = redact(normalise(row.text)).text
    # The key makes reading the row again a repeat that does not count as given anew.
    key = "csv:" + hashlib.sha256(f"{row.label}\n{text}".encode()).hexdigest()[:32]
    if key in keys:
        return None
    proposed = {proposal.label for proposal in store.proposed_intents()}
    check = check_label(row.label, known | proposed)
    if check.refused or not text:
        return check.message or "the text is empty"
    now = time.time()
    if check.verdict is LabelVerdict.NEW:
        store.propose_intent(ProposedIntent(row.label, "", now, BY_HAND))
    feedback = Feedback(
        feedback_id=f"fb_{key[4:24]}",
        feedback_type=FeedbackType.LABEL,
        status=FeedbackStatus.ACCEPTED,
        source=BY_HAND,
        created_at=now,
        text=text,
        label=row.label,
        idempotency_key=key,
    )
    store.add_feedback(feedback, near_duplicate_key(text))
    return None
