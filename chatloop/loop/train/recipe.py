"""The training recipe: every number that shapes a model, and how it adapts to the data's size.

Pure values, no computing: a recipe is recorded with the release that it made. The numbers come
from the trials in docs/lab-log.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from chatloop.loop.train.solver import Descent

FEW_ROWS = 3_000
"""Below this many texts every n-gram counts, and visits and folds double: both are cheap."""

MANY_ROWS = 30_000
"""Above this many texts the visits shrink, so that the cost stays about the same, down to 3."""

_LEAST_VISITS = 3


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train. `visits`: passes over the texts, each over a freshly altered copy.

    `l2` is scikit-learn's 1 / C. `balance`, 0 to 1, evens out the intents' weights: 0 leaves the
    rows as they are, 1 makes all intents weigh the same. `min_df`: how many texts must hold an
    n-gram for it to count. Rates are probabilities: of a drop for each word, of a typo for each
    text.
    """

    name: str
    visits: int = 10
    step: float = 0.5
    batch_rows: int = 512
    l2: float = 0.1
    balance: float = 0.5
    char_ngram_min: int = 2
    char_ngram_max: int = 4
    min_df: int = 2
    drop_rate: float = 0.1
    typo_rate: float = 0.5
    folds: int = 2

    def sized(self, n_texts: int) -> Recipe:
        """Return the recipe with the numbers that fit this many texts."""
        if n_texts < FEW_ROWS:
            return replace(self, visits=2 * self.visits, folds=2 * self.folds, min_df=1)
        visits = round(self.visits * min(1.0, MANY_ROWS / n_texts))
        return replace(self, visits=max(visits, _LEAST_VISITS))

    def descent(self) -> Descent:
        """Return the solver's settings; the weights of the last third of visits are averaged."""
        averaged = max(self.visits // 3, 1)
        return Descent(self.step, self.batch_rows, self.l2, averaged)


DEFAULT = Recipe("default")
THOROUGH = Recipe("thorough", visits=30)
RECIPES = {recipe.name: recipe for recipe in (DEFAULT, THOROUGH)}
