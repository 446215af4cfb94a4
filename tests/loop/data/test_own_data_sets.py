"""Whole imports: three languages that are trained on, a large set full of faults, and speed."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from pathlib import Path

import pytest

from chatloop.core.types import OOS
from chatloop.loop.data.prepare import Prepared, prepare
from chatloop.loop.data.rows import FILE, LABEL_FORM, Part
from chatloop.loop.evaluate.certificate import Terms
from chatloop.loop.register.build import Built, Training, build_release
from tests.conftest import CASES

LEAST_ACCURACY = 0.35
"""In-scope accuracy on the test part at seeds 7, 8, 9 was 0.58 to 0.74 (German), 0.78 to 0.86
(Spanish), 0.50 to 0.71 (Japanese); chance is 0.05. With 9 rows an intent more is not to be had."""


def imported(home: Path, name: str) -> tuple[Prepared, Built]:
    said: list[str] = []
    source = CASES / f"{name}.csv"
    prepared = prepare(home / "data", seed=7, source=source, force=True, say=said.append)
    training = Training(rows=prepared.rows, terms=Terms(0.05, 0.1, 0.2), seed=7)
    return prepared, build_release(home / "data", home / "models", training, said.append)


@pytest.mark.parametrize("name", ["german", "spanish", "japanese"])
def test_a_set_in_any_language_is_imported_trained_and_answers(home, name):
    prepared, built = imported(home, name)
    counts = [row.intent for row in prepared.rows if row.in_scope]
    assert len(set(counts)) >= 20
    assert all(
        counts.count(intent) >= 12 and LABEL_FORM.fullmatch(intent) for intent in set(counts)
    )
    assert {row.split for row in prepared.rows} == set(Part)
    assert built.evaluation.accuracy_in_scope.value >= LEAST_ACCURACY
    right, drawn = built.golden_counts
    assert drawn >= 20
    assert right / drawn > LEAST_ACCURACY
    assert all(0 <= built.scorer(row.text).confidence <= 1 for row in prepared.rows)


def test_parts_of_words_carry_a_script_without_spaces(home):
    prepared, built = imported(home, "japanese")
    known = {w for r in prepared.rows if r.split == Part.FIT for w in re.findall(r"\w+", r.text)}
    tested = [r for r in prepared.rows if r.split == Part.TEST and r.in_scope]
    without = [r for r in tested if not known & set(re.findall(r"\w+", r.text))]
    assert len(without) > 20, "nearly no whole word of the test part is known"
    right = sum(built.scorer(row.text).label == row.intent for row in without)
    assert right / len(without) >= LEAST_ACCURACY


def large_set(rng: random.Random) -> tuple[list[tuple[str, str]], list[str]]:
    """20,000 rows and 60 intents: 200 texts with two labels (2 % of the rows), 5 tiny intents."""
    names = [f"{verb}_{thing}" for verb in VERBS for thing in THINGS]
    tiny, large = names[:5], names[5:]
    rows = [(_text(rng, name, k), name) for name in tiny for k in range(3 + tiny.index(name))]
    for k in range(200):
        one, other = rng.sample(large, 2)
        text = _text(rng, one, 100_000 + k)
        rows += [(text, one), (text, other)]
    rest = 20_000 - len(rows)
    rows += [
        (_text(rng, large[k % len(large)], 200_000 + k), large[k % len(large)]) for k in range(rest)
    ]
    rng.shuffle(rows)
    return rows, tiny


VERBS = "open close change find cancel book".split()
THINGS = "account card loan ticket room bill order parcel policy meter".split()
FILLERS = "today quickly again online before monday still somehow abroad twice".split()


def _text(rng: random.Random, name: str, number: int) -> str:
    words = [*name.split("_"), *rng.sample(FILLERS, 4), f"n{number}"]
    return " ".join(rng.sample(words, len(words)))


def test_a_large_set_is_imported_and_its_faults_are_named(tmp_path, seed):
    rows, tiny = large_set(random.Random(seed))
    source = tmp_path / "large.tsv"
    lines = ["utterance\tcategory", *(f"{text}\t{label}" for text, label in rows)]
    source.write_text("\n".join(lines), "utf-8")
    said: list[str] = []
    prepared = prepare(tmp_path / "data", seed=7, source=source, say=said.append)
    text = "\n".join(said)
    assert prepared.conflicts == 200
    assert "200 texts carry two labels: their 400 rows are in data/set_aside.csv" in text
    sizes = ", ".join(f"`{name}` {3 + n}" for n, name in enumerate(tiny))
    assert f"5 intents have fewer than 10 rows: {sizes}" in text
    assert "missing: out-of-scope rows (label `oos`) of your own; 577 shipped ones" in text
    assert "columns: text = `utterance`, intent = `category`" in text
    assert sum(row.source == "import" for row in prepared.rows) == 20_000 - 400
    assert len({row.intent for row in prepared.rows} - {OOS}) == 60
    times = Counter(text for text, _ in rows)
    torn = {str(n) for n, (text, _) in enumerate(rows, start=2) if times[text] == 2}
    aside = (tmp_path / "data" / "set_aside.csv").read_text().splitlines()[1:]
    assert {line.split(",")[0] for line in aside} == torn


@pytest.mark.nightly
def test_150_000_rows_take_less_than_a_minute_of_cpu(tmp_path, seed):
    rng = random.Random(seed)
    names = [f"{verb}_{thing}" for verb in VERBS for thing in THINGS]
    tails = ("", "", "", "call +49 30 901820", "mail ann@example.com", "order 48151623")
    source = tmp_path / "rows.csv"
    lines = [
        f"{_text(rng, names[k % 60], k)} {tails[k % 6]},{names[k % 60]}" for k in range(150_000)
    ]
    source.write_text("\n".join(["text,intent", *lines]), "utf-8")
    start = time.process_time()
    prepare(tmp_path / "data", seed=7, source=source, say=lambda _: None)
    assert time.process_time() - start < 60
    assert (tmp_path / "data" / FILE).stat().st_size > 1_000_000
