"""`python -m bench.recipe FILE`: train one recipe and print accuracy, calibration and cost.

FILE is a CSV with text, label and split; splits train and oos_train are fitted, val and oos_val
judged (test and oos_test with --test). Nothing is written. One thread; CPU seconds.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402

from chatloop.core.types import OOS  # noqa: E402
from chatloop.loop.train.augment import altered  # noqa: E402
from chatloop.loop.train.features import tokenize  # noqa: E402
from chatloop.loop.train.fit import FittedModel, fit  # noqa: E402
from chatloop.loop.train.recipe import RECIPES  # noqa: E402

OOS_SHARE = 0.182
"""Share of out-of-scope messages in the test mix of CLINC150; coverage is weighed to it."""
KEPT_RIGHT = 0.91


def read(path: Path, *splits: str) -> tuple[list[str], list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(r["text"], r["label"]) for r in csv.DictReader(file) if r["split"] in splits]
    return [text for text, _ in rows], [label for _, label in rows]


def first_of_each(
    texts: list[str], labels: list[str], n: int, seed: int
) -> tuple[list[str], list[str]]:
    order = np.random.default_rng(seed).permutation(len(texts))
    shuffled = np.array(labels)[order]
    kept = np.concatenate([order[shuffled == label][:n] for label in sorted(set(labels))])
    return [texts[i] for i in kept], [labels[i] for i in kept]


def with_typos(texts: list[str], seed: int) -> list[str]:
    tokens = altered(tokenize(texts), np.random.default_rng(seed), drop_rate=0.0, typo_rate=1.0)
    parts = np.split(tokens.ids, tokens.starts[1:-1])
    return [" ".join(tokens.table[i] for i in part) for part in parts]


def ece(sure: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 15) -> float:
    number = np.clip((sure * bins).astype(int), 0, bins - 1)
    gaps = [
        abs(sure[number == k].mean() - right[number == k].mean()) * (number == k).mean()
        for k in np.unique(number)
    ]
    return float(sum(gaps))


def figures(model: FittedModel, texts: list[str], labels: list[str]) -> dict[str, float]:
    names, wanted = np.array(model.labels), np.array(labels)
    proba = model.pipeline.predict_proba(texts)
    inside, known = wanted != OOS, names != OOS
    right = names[proba.argmax(axis=1)] == wanted
    typo = model.pipeline.predict(with_typos(texts, 0)) == wanted
    sure, best = proba[:, known].max(axis=1), names[known][proba[:, known].argmax(axis=1)]
    found = {
        "accuracy": 100 * right[inside].mean(),
        "one typo": 100 * typo[inside].mean(),
        "ECE": 100 * ece(proba[inside].max(axis=1), right[inside]),
    }
    if not inside.all():
        found |= selective(sure, best == wanted, inside)
    return found


def selective(
    sure: NDArray[np.float64], right: NDArray[np.bool_], inside: NDArray[np.bool_]
) -> dict[str, float]:
    kept = np.sort(sure[inside & right])[::-1]
    need = int(np.ceil(KEPT_RIGHT * inside.sum()))
    recall = (sure[~inside] < kept[need - 1]).mean() if len(kept) >= need else float("nan")
    found = {"OOS recall": 100 * float(recall)}
    weight = np.ones(len(sure))
    weight[~inside] = inside.sum() * OOS_SHARE / (1 - OOS_SHARE) / (~inside).sum()
    order = np.argsort(-sure)
    answered, wrong = np.cumsum(weight[order]), np.cumsum((weight * ~right)[order])
    for share in (0.01, 0.02, 0.05):
        good = np.flatnonzero(wrong <= share * answered)
        reached = answered[good[-1]] / answered[-1] if len(good) else 0.0
        found[f"coverage at {share:.0%}"] = 100 * float(reached)
    return found


def plain_cpu_s(texts: list[str], labels: list[str]) -> float:
    """Return the CPU seconds of scikit-learn's defaults on the same rows, as a yardstick."""
    started = time.process_time()
    make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels)
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--per-intent", type=int, default=0, help="keep so many rows an intent")
    parser.add_argument("--repeat", type=int, default=1, help="give the rows so many times: cost")
    parser.add_argument("--test", action="store_true", help="judge on test, not on val")
    given = parser.parse_args()
    texts, labels = read(given.file, "train", "oos_train")
    if given.per_intent:
        texts, labels = first_of_each(texts, labels, given.per_intent, given.seed)
    texts, labels = texts * given.repeat, labels * given.repeat
    yardstick = plain_cpu_s(texts, labels) if given.repeat == 1 else float("nan")
    model = fit(texts, labels, recipe=RECIPES[given.recipe], seed=given.seed)
    judged = read(given.file, *(("test", "oos_test") if given.test else ("val", "oos_val")))
    found = {"rows": float(len(texts))} | figures(model, *judged)
    found |= {"temperature": model.temperature, "CPU s": model.cpu_seconds}
    found["CPU s of sklearn's defaults"] = yardstick
    for name, value in found.items():
        print(f"{name:<30}{value:10.2f}")


if __name__ == "__main__":
    main()
