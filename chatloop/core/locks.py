"""One exclusive lock between processes, held on a file and freed by the system on any death.

It does not guard a value inside one process against its own threads for free: each `with`
opens the file anew, so threads exclude each other too, at the price of one open. A lock that
lives in the kernel is used because a left-over lock file would outlive a kill -9.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    from filelock import FileLock

    @contextmanager
    def exclusive(path: Path) -> Iterator[None]:
        """Hold the lock on `path` (made when absent) and wait for it without limit."""
        with FileLock(path):
            yield

else:
    import fcntl

    @contextmanager
    def exclusive(path: Path) -> Iterator[None]:
        """Hold the lock on `path` (made with mode 0600 when absent); wait for it without limit.

        Raises OSError when the file cannot be opened (missing folder, read-only disk).
        """
        descriptor = _locked(path)
        try:
            yield
        finally:
            # An explicit unlock: a forked child may share the descriptor and keep it open.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def _locked(path: Path) -> int:
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return descriptor
            except FileNotFoundError:
                pass  # somebody deleted the lock file while we waited: lock the new one
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
