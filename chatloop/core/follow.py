"""Reading a growing log of lines: each whole line once, across rotation, truncation, deletion.

It takes no lock and never writes. A place in the log is (inode, offset), because names move;
the open file is held, so that a file keeps its inode until its last line is read, wherever it
was moved. What a line says is the caller's business.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from chatloop.core.logfile import rotated_files

MAX_LINE_BYTES = 1 << 20
"""Longer lines are skipped and counted: nothing that we write is as long."""

_BLOCK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log: `offset` in the file `inode`, all rotated files up to `after` done.

    With inode 0 it is the start of whatever follows the rotated file named `after`; the empty
    name comes before all of them.
    """

    inode: int
    offset: int
    after: str


@dataclass(frozen=True, slots=True)
class _Files:
    """What lay in the folder: inodes of the rotated files by name, and of the live file."""

    rotated: dict[str, int]
    live: int | None

    def newest(self) -> str:
        return max(self.rotated, default="")


class LogFollower:
    """Yields the lines of `path` and of its rotated files in order. For one thread at a time."""

    def __init__(self, path: Path, start: Position | None = None) -> None:
        self.too_long = 0
        self._path = path
        self._file: FileIO | None = None
        self._inode = 0
        self._offset = 0
        self._in_long_line = False
        if start is None:
            self._after = _look(path).newest()
        else:
            self._after = start.after
            self._seek(start)

    @property
    def position(self) -> Position:
        """Where the next call goes on; a new follower can start there."""
        return Position(self._inode, self._offset, self._after)

    def close(self) -> None:
        """Let go of the open file."""
        if self._file is not None:
            self._file.close()
        self._file = None
        self._inode = self._offset = 0
        self._in_long_line = False

    def read_new(self, limit_bytes: int | None = None) -> Iterator[bytes]:
        """Yield the whole lines, without newline, that came since the last call.

        Stops soon after `limit_bytes`; the next call goes on there, also when the iterator is
        dropped half-way. An unfinished last line waits, until its file is rotated.
        """
        left = limit_bytes
        while left is None or left > 0:
            files = _look(self._path)
            if self._file is None and not self._open_next(files):
                return
            # The look came first: a file that it did not find live gets no more lines.
            final = self._file is not None and self._inode != files.live
            for line in self._lines(final=final):
                yield line
                if left is not None:
                    left -= len(line) + 1
                    if left <= 0:
                        return
            if final:
                self._finish(files)
            elif self._file is not None:
                return

    def _open_next(self, files: _Files) -> bool:
        """Open the next file in order; False when there is none. May fail to a rotation."""
        later = [name for name in sorted(files.rotated) if name > self._after]
        if not later and files.live is None:
            return False
        name = later[0] if later else self._path.name
        expected = files.rotated[name] if later else files.live
        if not self._open(name, expected) and later:
            self._after = name  # deleted between the look and the open: nothing left to read
        return True

    def _open(self, name: str, inode: int | None) -> bool:
        try:
            file = FileIO(self._path.with_name(name))
        except FileNotFoundError:
            return False
        if os.fstat(file.fileno()).st_ino != inode:
            file.close()
            return False
        self._file, self._inode, self._offset = file, inode, 0
        return True

    def _seek(self, start: Position) -> None:
        files = _look(self._path)
        names = {inode: name for name, inode in files.rotated.items()}
        if files.live is not None:
            names[files.live] = self._path.name
        name = names.get(start.inode)
        if name is not None and self._open(name, start.inode):
            self._offset = start.offset

    def _finish(self, files: _Files) -> None:
        names = [name for name, inode in files.rotated.items() if inode == self._inode]
        self._after = max([self._after, *names])
        self.close()

    def _lines(self, *, final: bool) -> Iterator[bytes]:
        """The whole lines from the offset on; of a `final` file the unfinished tail as well.

        Each block is read from the start of a line, never continued: a writer may cut half a
        line back and others write over it.
        """
        size = _BLOCK_BYTES
        while self._file is not None:
            block = self._read(size)
            end = block.rfind(b"\n") + 1
            if end:
                yield from self._split(block[:end])
                size = _BLOCK_BYTES
            elif len(block) < size:
                if final and block:
                    yield from self._split(block)
                return
            elif size <= MAX_LINE_BYTES:
                size *= 2
            else:
                self._in_long_line = True
                self._offset += len(block)

    def _read(self, size: int) -> bytes:
        assert self._file is not None
        if os.fstat(self._file.fileno()).st_size < self._offset:
            self._offset, self._in_long_line = 0, False  # truncated: what is there now is new
        self._file.seek(self._offset)
        return self._file.read(size)

    def _split(self, block: bytes) -> Iterator[bytes]:
        for line in block.removesuffix(b"\n").split(b"\n"):
            self._offset += len(line) + 1
            if self._in_long_line or len(line) > MAX_LINE_BYTES:
                self.too_long += 1
                self._in_long_line = False
            else:
                yield line


def _look(path: Path) -> _Files:
    """The files of the log. The live one comes first: a rotation meanwhile then shows twice.

    The other way round, a file rotated between the two looks would be in neither.
    """
    live = _inode(path)
    found = {rotated.name: _inode(rotated) for rotated in rotated_files(path)}
    return _Files({name: inode for name, inode in found.items() if inode}, live)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except (FileNotFoundError, NotADirectoryError):
        return None
