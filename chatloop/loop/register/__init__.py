"""Stage 4: releases. Model, threshold, prompt, answers and pages are released together."""
