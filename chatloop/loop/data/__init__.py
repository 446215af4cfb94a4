"""Stage 1: rows to learn from. Seeds or an import in, `data/intents.csv` out."""
