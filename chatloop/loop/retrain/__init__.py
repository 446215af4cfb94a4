"""Stage 7: the whole loop once more, behind the gate, in a process of its own."""
