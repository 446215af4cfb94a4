"""Layer 3: the model's life, a folder a stage.

data -> train -> evaluate -> register -> (serve) -> monitor -> feedback -> retrain. A later stage
may use an earlier one, never the reverse.
"""
