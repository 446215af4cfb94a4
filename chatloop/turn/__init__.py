"""Layer 2: one message, in order. Read `turn.py`; its six steps know only `core`."""
