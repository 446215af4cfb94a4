"""The training recipe: every number that shapes a model, and how it adapts to the data's size.

Pure values, no computing: a recipe is recorded with the release that it made. The numbers come
from the trials in docs/lab-log.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from chatloop.loop.train.solver import Descent

FEW_ROWS = 3_000
"""Below this many texts every n-gram counts, also one that a single text holds."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train. `visits`: passes over the texts, each over a freshly altered copy."""

    name: str
    visits: int = 10
    step: float = 0.2
    batch_rows: int = 256
    l2: float = 0.1
    char_ngram_min: int = 2
    char_ngram_max: int = 4
    drop_rate: float = 0.1
    typo_rate: float = 0.5
    folds: int = 2

    def min_df(self, n_texts: int) -> int:
        """Return how many texts must hold an n-gram for it to count."""
        return 1 if n_texts < FEW_ROWS else 2

    def descent(self) -> Descent:
        """Return the solver's settings; the weights of the last third of passes are averaged."""
        averaged = max(self.visits // 3, 1)
        return Descent(self.step, self.batch_rows, self.l2, averaged)


DEFAULT = Recipe("default")
THOROUGH = Recipe("thorough", visits=40)
RECIPES = {recipe.name: recipe for recipe in (DEFAULT, THOROUGH)}
