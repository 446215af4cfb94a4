"""Step 5 of a turn: words for a plan, from the best source that works."""
