"""The check `settings`: can they be read, and what differs from the defaults. Hides secrets."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from chatloop.core.errors import SettingsError
from chatloop.core.settings import PREFIX, Settings, load_settings
from chatloop.serve.doctor.base import Finding, fail, ok


def read() -> tuple[Settings, Finding]:
    """Return the settings and how they are; wrong ones are replaced by the defaults.

    The home is taken from its variable even then, so that the right files are looked at.
    """
    try:
        settings = load_settings()
    except Exception as error:  # whatever is wrong with them, the other checks go on
        home = Path(os.environ.get(PREFIX + "HOME", "."))
        told = isinstance(error, SettingsError)
        problem = str(error) if told else f"unexpected {type(error).__name__}: {error}"
        found = f"{problem} (the other lines are for the defaults)"
        hint = "mend the variable or config.toml; docs/reference/settings.md lists all"
        return Settings.model_construct(home=home), fail("settings", found, hint)
    changed = [
        f"{name}={_shown(value)}"
        for name, field in Settings.model_fields.items()
        if (value := getattr(settings, name)) != field.default
    ]
    words = f"differ from the defaults: {', '.join(changed)}" if changed else "all are defaults"
    return settings, ok("settings", words)


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "(hidden)"
    return re.sub(r"//.*@", "//(hidden)@", str(value))  # user and password of an address
