"""Chatloop: a support chatbot that runs on one machine and improves from its own traffic.

Four layers, one way down: `serve` (HTTP, UI, commands) > `loop` (the model's life) >
`turn` (one message, in order) > `core` (types, settings, files). Start with `turn/turn.py`.
"""

__version__ = "0.1.0"
