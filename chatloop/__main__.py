"""`python -m chatloop`: see `chatloop/serve/cli.py`."""

import sys

try:
    from chatloop.serve.cli import main
except ImportError as error:  # an old Python or a missing package: the doctor can say which
    sys.stderr.write(f"the commands cannot be loaded ({error}); this is what the doctor finds:\n")
    from chatloop.serve.doctor.command import main

sys.exit(main())
