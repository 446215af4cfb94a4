"""`python -m chatloop`: see `chatloop/serve/cli.py`."""

import sys

from chatloop.serve.cli import main

sys.exit(main())
