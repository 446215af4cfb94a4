"""The HTTP API: `uvicorn main:app`. Types the next command when something is missing."""

from __future__ import annotations

import os
import sys

# Set before anything is imported: no library may call home.
for _name, _value in {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}.items():
    os.environ.setdefault(_name, _value)

from chatloop.core.errors import ChatloopError  # noqa: E402
from chatloop.core.logs import set_up_logging  # noqa: E402
from chatloop.core.settings import load_settings  # noqa: E402
from chatloop.serve.api.app import create_app  # noqa: E402
from chatloop.serve.ready import need_release  # noqa: E402
from chatloop.serve.workers import number_of_workers  # noqa: E402

try:
    _settings = load_settings()
    need_release(_settings)
except ChatloopError as error:
    sys.exit(str(error))

set_up_logging()
app = create_app(_settings, with_ui=number_of_workers() == 1)
