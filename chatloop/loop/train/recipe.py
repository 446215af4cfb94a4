"""The training recipe: every number that shapes a model, and how it adapts to the data's size.

Pure values, no computing: a recipe is recorded with the release that it made.
"""

from __future__ import annotations

from dataclasses import dataclass

FEW_ROWS = 3_000
"""Below this many texts each n-gram counts, above it one that a single text holds is noise."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train. Rates are probabilities a text; `visits` are passes over the rows."""

    name: str
    visits: int = 10
    char_ngram_min: int = 2
    char_ngram_max: int = 4
    batch_rows: int = 256
    step: float = 0.3
    drop_rate: float = 0.6
    typo_rate: float = 0.5
    folds: int = 2

    def min_df(self, n_texts: int) -> int:
        """Return how many texts must hold an n-gram for it to count."""
        return 1 if n_texts < FEW_ROWS else 2


DEFAULT = Recipe("default")
THOROUGH = Recipe("thorough", visits=30)
RECIPES = {recipe.name: recipe for recipe in (DEFAULT, THOROUGH)}
