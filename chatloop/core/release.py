"""A release folder: parts first, manifest with sha256 last; verified before a byte is parsed.

`models/releases/<version>/` never changes once it has a manifest. `models/current.json` is the
only pointer: one atomic rename of a few bytes switches what is served. Nothing here knows what
the parts mean.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chatloop.core.errors import ReleaseError

VERSION = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}")
MANIFEST = "manifest.json"
POINTER = "current.json"
CERTIFICATE, GOLDEN = "certificate.json", "golden.json"
"""Parts that both sides read: the threshold with its state, and the phrases tried at a load."""
PIPELINE, METADATA = "intent_pipeline.joblib", "model_metadata.json"
"""Parts for people; copies of the current ones lie in models/."""
REPORT = "report.html"
"""How good the release is, as one page for people."""

HISTORY_LENGTH = 10
_MAX_PART_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Release:
    """An opened release whose manifest was verified. Parts are verified as they are read."""

    version: str
    path: Path
    digests: Mapping[str, str]
    manifest_sha256: str

    def read(self, part: str) -> bytes:
        """Return the bytes of `part`; raises ReleaseError unless they match the manifest."""
        digest = self.digests.get(part)
        if digest is None:
            raise ReleaseError(f"release {self.version} has no part {part}; {_AGAIN}")
        data = _read_bytes(self.path / part, self.version)
        if hashlib.sha256(data).hexdigest() != digest:
            raise ReleaseError(f"release {self.version}: {part} was changed or damaged; {_AGAIN}")
        return data

    def verify(self) -> None:
        """Read every part once; raises ReleaseError at the first that differs."""
        for part in self.digests:
            self.read(part)


@dataclass(frozen=True, slots=True)
class Pointer:
    """What is served, and the way back: `earlier` holds (version, manifest sha256), newest last."""

    version: str
    manifest_sha256: str
    since: float
    actor: str
    earlier: tuple[tuple[str, str], ...] = ()


_AGAIN = "roll back (`python -m chatloop rollback`) or train again (`python train_model.py`)"


def new_version(parts: Mapping[str, bytes], now: float | None = None) -> str:
    """Return a name that sorts by time and differs with the content."""
    digest = hashlib.sha256()
    for name in sorted(parts):
        digest.update(name.encode() + b"\0" + hashlib.sha256(parts[name]).digest())
    digest.update(os.urandom(8))
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    return f"{stamp}-{digest.hexdigest()[:6]}"


def write_release(models_dir: Path, parts: Mapping[str, bytes], version: str) -> Release:
    """Write all parts, then the manifest, then give the folder its name in one rename.

    A crash leaves a `.draft-*` folder that nothing lists and the next write removes.
    """
    home = models_dir / "releases"
    draft = home / f".draft-{version}"
    try:
        home.mkdir(parents=True, exist_ok=True)
        for left in home.glob(".draft-*"):
            shutil.rmtree(left, ignore_errors=True)
        draft.mkdir(mode=0o700)
        for name, data in parts.items():
            _write_synced(draft / name, data)
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}
        manifest = {"version": version, "parts": dict(sorted(digests.items()))}
        _write_synced(draft / MANIFEST, json.dumps(manifest, indent=1).encode())
        draft.rename(home / version)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise ReleaseError(
            f"release {version} cannot be written to {home} ({error.strerror}); nothing changed"
        ) from error
    return open_release(models_dir, version)


def open_release(models_dir: Path, version: str, manifest_sha256: str | None = None) -> Release:
    """Open a release by name; raises ReleaseError when it is absent, malformed or changed."""
    if not VERSION.fullmatch(version):
        raise ReleaseError("not a version name; `python -m chatloop models` lists them")
    path = models_dir / "releases" / version
    if not path.is_dir() or path.is_symlink():
        raise ReleaseError(f"release {version} is not there; `python -m chatloop models` lists all")
    raw = _read_bytes(path / MANIFEST, version)
    found = hashlib.sha256(raw).hexdigest()
    if manifest_sha256 and found != manifest_sha256:
        raise ReleaseError(f"release {version}: the manifest was changed; {_AGAIN}")
    try:
        manifest = json.loads(raw)
        digests = {str(k): str(v) for k, v in manifest["parts"].items()}
        same = manifest["version"] == version
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReleaseError(f"release {version}: the manifest is damaged; {_AGAIN}") from error
    if not same or any("/" in name or "\\" in name for name in digests):
        raise ReleaseError(f"release {version}: the manifest names something else; {_AGAIN}")
    return Release(version, path, digests, found)


def list_versions(models_dir: Path) -> list[str]:
    """Return the names of all whole releases, oldest first."""
    home = models_dir / "releases"
    names = home.iterdir() if home.is_dir() else ()
    return sorted(p.name for p in names if VERSION.fullmatch(p.name) and (p / MANIFEST).is_file())


def read_pointer(models_dir: Path) -> Pointer | None:
    """Return what is current; None before the first training. Raises ReleaseError when damaged."""
    path = models_dir / POINTER
    try:
        raw = json.loads(path.read_text("utf-8"))
        return Pointer(
            version=str(raw["version"]),
            manifest_sha256=str(raw["manifest_sha256"]),
            since=float(raw["since"]),
            actor=str(raw["actor"]),
            earlier=tuple((str(v), str(h)) for v, h in raw["earlier"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"{path} is damaged ({type(error).__name__}); {_AGAIN}") from error


def write_pointer(models_dir: Path, pointer: Pointer) -> None:
    """Switch what is served: a few bytes, one atomic rename, safe at any moment."""
    body = {
        "version": pointer.version,
        "manifest_sha256": pointer.manifest_sha256,
        "since": pointer.since,
        "actor": pointer.actor,
        "earlier": pointer.earlier[-HISTORY_LENGTH:],
    }
    draft = models_dir / f".{POINTER}.{os.getpid()}"
    _write_synced(draft, json.dumps(body).encode())
    draft.replace(models_dir / POINTER)


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _read_bytes(path: Path, version: str) -> bytes:
    """Read a plain file whole; links, pipes and giants are refused before they are opened."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _MAX_PART_BYTES:
            raise ReleaseError(f"release {version}: {path.name} is not a plain file; {_AGAIN}")
        return path.read_bytes()
    except OSError as error:
        raise ReleaseError(
            f"release {version}: {path.name} cannot be read ({error.strerror}); {_AGAIN}"
        ) from error
