"""What must be there before serving starts: each absence is one line with the command to type."""

from __future__ import annotations

import socket

from chatloop.core.errors import DataError, ReleaseError, SettingsError
from chatloop.core.release import read_pointer
from chatloop.core.settings import Settings
from chatloop.loop.data.rows import FILE


def need_release(settings: Settings) -> None:
    """Raise DataError or ReleaseError unless a release has been made."""
    if read_pointer(settings.models_dir) is not None:
        return
    if not (settings.data_dir / FILE).exists():
        raise DataError(
            "there is no data and no model yet: run `python prepare_data.py`, "
            "then `python train_model.py`"
        )
    raise ReleaseError("there is no trained model yet: run `python train_model.py` first")


def need_free_port(host: str, port: int, setting: str) -> None:
    """Raise SettingsError when something listens at `port` already."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"port {port} on {host} is taken ({error.strerror}): stop what runs there, "
                f"or choose another with {setting}"
            ) from error
