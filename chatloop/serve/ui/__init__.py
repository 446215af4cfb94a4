"""The page for people: chat, live numbers, models. It speaks HTTP to the API and nothing else.

Importing this package loads no Gradio (that takes seconds); `door` and `page` do it when asked.
The two variables below must stand before Gradio's first import: without them it phones home.
"""

from __future__ import annotations

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
