"""The secret, signed turn ids, pseudonyms, and the hash that splits traffic.

A turn id is a ULID (26 characters, ordered by time) plus 16 characters of HMAC-SHA256, so an id
that this service never issued is told without a look-up. User and session ids leave the process
only as keyed hashes: the same person stays recognisable, nobody is named.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import random
import re
import secrets
import time
from pathlib import Path

from chatloop.core.errors import SettingsError

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford base 32: no I, L, O, U
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}[A-Z2-7]{16}")
_MIN_SECRET_BYTES = 16


def load_secret(data_dir: Path, given: str | None = None) -> bytes:
    """Return the signing secret: `given` (CHATLOOP_SECRET), else data/secret.key, made once.

    Raises SettingsError when the secret is shorter than 16 bytes or cannot be read or made.
    """
    path = data_dir / "secret.key"
    try:
        secret = given.encode() if given else _read_or_make(path)
    except OSError as error:
        raise SettingsError(
            f"{path}: the secret cannot be read or made ({error.strerror}); set CHATLOOP_SECRET"
        ) from error
    if len(secret) < _MIN_SECRET_BYTES:
        raise SettingsError(
            "the secret is shorter than 16 characters: make one with "
            '`python -c "import secrets; print(secrets.token_hex(32))"`'
        )
    return secret


def _read_or_make(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".secret.{os.getpid()}")
    if not path.exists():
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(draft, path)  # fails when another process was first: theirs counts
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes().strip()


class TurnIds:
    """Makes and checks signed, time-ordered turn ids. Not thread-safe: one per event loop."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.new(secret, b"turn-id", hashlib.sha256).digest()
        self._last = 0

    def new(self, now: float | None = None) -> str:
        """Return a new id, greater than every earlier one, also when the clock steps back."""
        milliseconds = int((time.time() if now is None else now) * 1000)
        # Only has to differ: what cannot be guessed is the HMAC, and the system's own random
        # numbers cost a system call each. `random` is seeded from them, anew after a fork.
        value = (milliseconds << 80) | random.getrandbits(80)
        self._last = value if value > self._last else self._last + 1
        ulid = _base32(self._last)
        return ulid + self._mac(ulid)

    def valid(self, turn_id: str) -> bool:
        """Tell whether this service issued `turn_id`. Constant time, no look-up."""
        if not _ULID.fullmatch(turn_id):
            return False
        return hmac.compare_digest(self._mac(turn_id[:26]), turn_id[26:])

    def _mac(self, ulid: str) -> str:
        digest = hmac.digest(self._key, ulid.encode(), "sha256")
        return base64.b32encode(digest[:10]).decode()


def _base32(value: int) -> str:
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10)])


def turn_time(turn_id: str) -> float:
    """Return the moment of receipt inside a turn id, in seconds since the epoch."""
    value = 0
    for character in turn_id[:10]:
        value = value * 32 + _ALPHABET.index(character)
    return value / 1000


class Pseudonyms:
    """Turns user and session ids into keyed hashes of 16 characters, one way."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.new(secret, b"pseudonym", hashlib.sha256).digest()

    def of(self, kind: str, identity: str | None) -> str | None:
        """Return the pseudonym of `identity`; `kind` keeps user and session apart."""
        if not identity:
            return None
        digest = hmac.digest(self._key, f"{kind}:{identity}".encode("utf-8", "replace"), "sha256")
        return base64.b32encode(digest[:10]).decode().lower()


def bucket(*parts: str) -> float:
    """Hash `parts` to a number in [0, 1): sticky assignment without storage."""
    digest = hashlib.blake2b("\x1f".join(parts).encode("utf-8", "replace"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def ticket_id() -> str:
    """Return a new ticket id: 50 random bits in letters that can be read out on the phone."""
    return "T-" + "".join(secrets.choice(_ALPHABET) for _ in range(10))
