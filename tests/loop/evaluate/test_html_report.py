"""The report shows what was measured, loads nothing, runs nothing, and lets no text be HTML."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from chatloop.core.release import METADATA, REPORT, Release
from chatloop.core.types import OOS, Intent
from chatloop.loop.data.rows import Row
from chatloop.loop.evaluate.certificate import Terms, make_certificate
from chatloop.loop.evaluate.html_report import Measured, html_report
from chatloop.loop.evaluate.metrics import evaluate
from chatloop.loop.evaluate.mistakes import Previous, changes, confusions, sure_mistakes
from chatloop.loop.evaluate.slices import measure_slices
from chatloop.loop.register.build import build_release
from tests.fakes import tiny_built, tiny_training

LABELS = ("aa", "bb_cc", OOS)
ATTACK = """<script>alert('x')</script>"><img src=x onerror=alert(1)> & "quoted" </style>"""


class Model:
    """Right by the first word of a text, except for texts that hold `wrong`."""

    labels = LABELS

    def __init__(self, wrong: str = "wrong") -> None:
        self.wrong = wrong

    def __call__(self, text: str) -> Intent:
        label = text.split(maxsplit=1)[0].lower()
        label = label if label in LABELS else "aa"
        if self.wrong in text:
            label = "bb_cc" if label == "aa" else "aa"
        sure = 0.5 + (len(text) % 50) / 100
        return Intent("aa" if label == OOS else label, sure, in_scope=label != OOS)

    def many(self, texts: Any) -> list[Intent]:
        return [self(text) for text in texts]

    def probabilities(self, _: str) -> None:
        return None


def rows_of(n: int, extra: str = "") -> list[Row]:
    return [
        Row(f"{label} {k} {'wrong' if k % 5 == 0 else 'fine'} {extra}", label, "seed:plain",
            f"{label}{k}", "test")
        for k in range(n)
        for label in LABELS
    ]  # fmt: skip


@pytest.fixture(scope="module")
def metadata(release: Release) -> dict[str, Any]:
    return dict(json.loads(release.read(METADATA)))


def measured(rows: list[Row], previous: Model | None = None) -> Measured:
    model = Model()
    evaluation = evaluate(model, rows)
    certificate = make_certificate(rows, model.many, Terms(0.5, 0.1, 0.2), 7)
    intents = model.many([r.text for r in rows])
    old = Previous("20260101T000000Z-aaaaaa", previous) if previous else None
    return Measured(
        evaluation=evaluation,
        rows=rows,
        intents=intents,
        certificate=certificate,
        slices=measure_slices(model, rows, intents, certificate["threshold"]),
        changes=changes(old, rows, evaluation.predicted) if old else None,
    )


class Reader(HTMLParser):
    """Collects the tags with their attributes, and the words; a misnested tag is an error."""

    VOID = ("meta", "br", "rect", "line", "polyline", "circle")

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_every_release_holds_a_report_that_names_it(release):
    reader = read(release.read(REPORT).decode())
    assert f"Release {release.version}" in reader.text
    assert "Measured on 15 test rows" in reader.text
    assert "Not enough data yet for a promise" in reader.text
    assert "There was no current release to compare with" in reader.text


def test_the_page_runs_nothing_and_asks_nobody(metadata):
    page = html_report(metadata, measured(rows_of(40), Model("fine")))
    reader = read(page)
    assert not {"script", "img", "iframe", "object", "link", "a", "form"} & {
        tag for tag, _ in reader.tags
    }
    names = {name for _, attributes in reader.tags for name in attributes}
    assert not [n for n in names if n.startswith("on") or n in {"src", "href", "srcset"}]
    assert not re.search(r"url\(|@import|https?:", page)


def test_texts_labels_and_words_are_escaped_everywhere(metadata):
    rows = rows_of(20, ATTACK)
    given = measured(rows, Model("fine"))
    given = replace(given, certificate={**given.certificate, "words": ATTACK})
    bad = {**metadata, "version": ATTACK, "sources": {ATTACK: 1}, "python": ATTACK}
    reader = read(html_report(bad, given))
    assert not {"script", "img"} & {tag for tag, _ in reader.tags}
    assert reader.text.count("<script>alert('x')</script>") > 10


def test_every_part_of_the_page_shows_its_figures(metadata):
    given = measured(rows_of(40), Model("fine"))
    text = read(html_report(metadata, given)).text
    assert "80.0 % 72 to 86 %, n = 120" in text  # accuracy
    assert "bb cc taken for aa 8 of 40 rows" in text
    assert "Against release 20260101T000000Z-aaaaaa on the 120 test rows" in text
    assert "96 gained, 24 lost" in text
    assert f"confidence {given.certificate['threshold']:.3f}" in text
    assert "recognised 80.0 %" in text
    assert "misspelt written with typing errors recognised: no rows" in text
    assert "would be answered" in text


def test_the_plots_hold_the_curve_the_target_and_the_certificates_point(metadata):
    given = measured(rows_of(40))
    assert given.certificate["certified"]
    reader = read(html_report(metadata, given))
    kinds = [attributes.get("class") for _, attributes in reader.tags]
    assert kinds.count("plot") == 2
    assert kinds.count("curve") == kinds.count("hollow") == 1
    assert "target 50 %" in reader.text
    curve = next(a["points"] for t, a in reader.tags if t == "polyline")
    places = [tuple(map(float, point.split(","))) for point in (curve or "").split()]
    assert places == sorted(places, key=lambda p: p[0])
    assert len(places) == 5  # one a confidence that occurs


def test_intents_with_few_rows_are_listed_as_untested(metadata):
    rows = [*rows_of(10), Row("aa rare", "rare_one", "seed:plain", "r", "test")]
    text = read(html_report(metadata, measured(rows))).text
    assert "Untested, with fewer than 4 test rows: rare one." in text


def test_the_weakest_intent_comes_first(metadata):
    rows = [*rows_of(10), *(Row(f"aa w{k}", "weak_one", "x", f"w{k}", "test") for k in range(8))]
    text = read(html_report(metadata, measured(rows))).text.split("Recall by intent")[1]
    assert text.index("weak one") < text.index("bb cc")


@pytest.mark.parametrize("n", [0, 1])
def test_a_release_without_test_rows_has_a_report_too(metadata, n):
    text = read(html_report(metadata, measured(rows_of(n), Model("fine")))).text
    assert f"Measured on {3 * n} test rows" in text


def test_the_page_stays_small_however_many_rows_and_intents_there_are(metadata):
    rows = [
        Row(f"aa {k} {'long ' * 300}", f"intent_number_{k % 1200}", "seed:plain", str(k), "test")
        for k in range(6000)
    ]
    page = html_report(metadata, measured(rows, Model("long")))
    assert len(page.encode()) < 400_000
    assert "1050 better intents are not shown" in page


def test_confusions_come_by_frequency_with_a_few_texts():
    rows = [Row(f"t{k}", "aa", "x", str(k), "test") for k in range(6)]
    found = confusions(rows, ["aa", "bb", "bb", "bb", "bb", OOS])
    assert [(c.truth, c.predicted, c.count, c.n) for c in found] == [
        ("aa", "bb", 4, 6),
        ("aa", OOS, 1, 6),
    ]
    assert found[0].examples == ("t1", "t2", "t3")


def test_sure_mistakes_come_by_confidence_and_leave_silence_out():
    rows = [Row(t, "aa", "x", t, "test") for t in ("low", "right", "high", "silent")]
    intents = [
        Intent("bb", 0.6, in_scope=True),
        Intent("aa", 0.99, in_scope=True),
        Intent("bb", 0.9, in_scope=True),
        Intent("bb", 0.95, in_scope=False),
    ]
    assert [m.text for m in sure_mistakes(rows, intents)] == ["high", "low"]


def test_changes_leave_out_intents_that_the_release_before_did_not_know():
    rows = [*rows_of(5), Row("aa new", "new_intent", "x", "n", "test")]
    found = changes(Previous("v", Model("fine")), rows, evaluate(Model(), rows).predicted)
    assert found.n == 15
    assert len(found.gained) == 12
    assert len(found.lost) == 3
    assert all(c.after == c.truth != c.before for c in found.gained)


def test_a_built_release_compares_with_the_one_that_is_served(home):
    built = tiny_built(home)
    before = Previous(built.release.version, built.scorer)
    again = build_release(
        home / "data", home / "models", tiny_training(seed=8), lambda _: None, previous=before
    )
    text = read(again.release.read(REPORT).decode()).text
    assert f"Against release {built.release.version} on the 15 test rows" in text


def test_the_slices_are_in_the_metadata_too(metadata):
    assert [s["name"] for s in metadata["slices"]["slices"]][:2] == ["all", "short"]
    assert metadata["slices"]["names"]["prediction_changes"]["n"] > 100
