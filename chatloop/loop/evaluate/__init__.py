"""Stage 3: how good a model is, where it may answer alone, and whether it may replace another."""
