"""What the bot is doing: reads the telemetry log, never writes it.

`metrics` keeps the live totals and windows, `prometheus` shows them to a scraper, `lookup` finds
one turn, `summary` and `stream` are what `monitoring.py` prints. The log is the only source, so
every figure can be recounted from it.
"""
