"""`python -m chatloop`: see `chatloop/serve/cli.py`."""

import sys

try:
    from chatloop.serve.cli import main
except ImportError:  # an old Python or a missing package: the doctor can say which
    from chatloop.serve.doctor.command import main

sys.exit(main())
