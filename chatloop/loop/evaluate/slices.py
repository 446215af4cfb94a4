"""Whether some people are served worse: recall and share answered by kind of message.

Slices come from what the seeds say about a row (`seed:<build>`), from its length, and from the
texts again in upper case. Texts that differ in a person's name only must come out the same.
Imported rows have no builds: those slices are then empty, and said to be so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chatloop.core.types import Intent
from chatloop.loop.data.rows import Row
from chatloop.loop.evaluate.metrics import Share, predicted_label, wilson
from chatloop.turn.classify import Scorer
from chatloop.turn.route import why_not_local

SHORT_WORDS = 4

NAMES = (
    "Emily", "Lakisha", "Jakub", "Mohammed", "Priya", "Nguyen", "Xiaoming", "Olumide",
    "Guadalupe", "Yuki", "Siobhán", "Dmitri",
)  # fmt: skip
"""Given names of different origins; each is compared with the next one, the last with the first."""

FRAMES = (
    "Hi, this is {name}. I want my money back.",
    "My colleague {name} left, please remove their account.",
    "Can you invite {name} to our workspace?",
    "{name} here, I forgot my password.",
    "I am {name} and I was charged twice this month.",
    "Please make {name} the new owner of the workspace.",
    "{name} cannot log in any more.",
    "Hello, {name} speaking. Where is my invoice?",
    "This is {name}, please cancel our subscription.",
    "{name} deleted a board by mistake, can it be restored?",
    "I'm {name}, let me talk to a real person please.",
    "Change the role of {name} to admin.",
    "My name is {name} and the app is terribly slow today.",
    "What personal data do you keep about {name}?",
    "{name} lost the phone with the two-factor codes.",
    "Thank you, {name}!",
)


@dataclass(frozen=True, slots=True)
class Slice:
    """One kind of message. `answered`: share that the bot would answer alone."""

    name: str
    meaning: str
    recall: Share
    answered: Share


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the bot makes of a text: the label, and whether it would answer alone."""

    text: str
    predicted: str
    answered: bool


@dataclass(frozen=True, slots=True)
class NamePairs:
    """How often another name changes the outcome; `examples` holds one pair a touched frame.

    Pairs of one sentence hang together, so the truth is a little less sure than the intervals.
    """

    prediction_changes: Share
    answered_changes: Share
    frames_touched: int
    frames: int
    examples: tuple[tuple[Outcome, Outcome], ...]


@dataclass(frozen=True, slots=True)
class Slices:
    """The bias check of a release. The first slice holds all in-scope rows, to compare with."""

    slices: tuple[Slice, ...]
    names: NamePairs


_BY_BUILD = (
    ("misspelt", "written with typing errors", "seed:misspelt"),
    ("non-native", "as learners of English write", "seed:non_native"),
    ("angry", "written in anger", "seed:angry"),
    ("formal", "written as a formal letter", "seed:formal"),
)


def measure_slices(
    scorer: Scorer, rows: Sequence[Row], intents: Sequence[Intent], threshold: float
) -> Slices:
    """Measure all slices of test `rows`; `intents` is what `scorer` said to them.

    Only rows in scope count: an out-of-scope message is not to be answered, whoever writes it.
    """
    inside = [(r, i) for r, i in zip(rows, intents, strict=True) if r.in_scope]
    loud = [(r, scorer(r.text.upper())) for r, _ in inside]

    def part(name: str, meaning: str, of: Callable[[Row], bool]) -> Slice:
        return _slice(name, meaning, [(r, i) for r, i in inside if of(r)], threshold)

    slices = [
        part("all", "every in-scope test row", lambda _: True),
        part("short", f"at most {SHORT_WORDS} words", lambda r: len(r.text.split()) <= SHORT_WORDS),
        *(part(name, meaning, _is_from(source)) for name, meaning, source in _BY_BUILD),
        _slice("upper case", "every row again in upper case", loud, threshold),
    ]
    return Slices(tuple(slices), compare_names(scorer, threshold))


def _is_from(source: str) -> Callable[[Row], bool]:
    return lambda row: row.source == source


def _slice(name: str, meaning: str, cases: Sequence[tuple[Row, Intent]], threshold: float) -> Slice:
    right = sum(predicted_label(intent) == row.intent for row, intent in cases)
    answered = sum(_is_answered(intent, threshold) for _, intent in cases)
    return Slice(name, meaning, wilson(right, len(cases)), wilson(answered, len(cases)))


def _is_answered(intent: Intent, threshold: float) -> bool:
    return why_not_local(intent, threshold, has_answer=True) is None


def compare_names(scorer: Scorer, threshold: float) -> NamePairs:
    """Say each sentence with each name, and compare neighbours in the list of names."""
    frames = [_changed_pairs(scorer, frame, threshold) for frame in FRAMES]
    pairs = [pair for frame in frames for pair in frame]
    n = len(FRAMES) * len(NAMES)
    return NamePairs(
        prediction_changes=wilson(sum(a.predicted != b.predicted for a, b in pairs), n),
        answered_changes=wilson(sum(a.answered != b.answered for a, b in pairs), n),
        frames_touched=sum(map(bool, frames)),
        frames=len(FRAMES),
        examples=tuple(frame[0] for frame in frames if frame),
    )


def _changed_pairs(scorer: Scorer, frame: str, threshold: float) -> list[tuple[Outcome, Outcome]]:
    outcomes = []
    for name in NAMES:
        intent = scorer(text := frame.format(name=name))
        outcomes.append(Outcome(text, predicted_label(intent), _is_answered(intent, threshold)))
    pairs = zip(outcomes, [*outcomes[1:], outcomes[0]], strict=True)
    return [(a, b) for a, b in pairs if (a.predicted, a.answered) != (b.predicted, b.answered)]
