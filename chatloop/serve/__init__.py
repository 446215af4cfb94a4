"""Layer 4, where one message and the model's life meet: HTTP, UI, commands."""
