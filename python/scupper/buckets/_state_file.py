"""The state of a user's algorithm in a file that processes share."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import List, Optional

_LENGTH = struct.Struct("<I")


class StateFile:
    """A few numbers, as texts, in the file at ``path``, used by one process and thread at a time.

    A process that is killed leaves the state as it was, or as it was to be, and the lock free.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    @classmethod
    def create(cls, path: str) -> StateFile:
        """Makes the file, for this user alone. Raises ``FileExistsError`` if something is there."""
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        return cls(path)

    @contextmanager
    def locked(self) -> Iterator[Held]:
        """The file while nobody else uses it. Raises ``RuntimeError`` if it was removed."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise RuntimeError("the process that made this store has closed it, or has ended") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield Held(descriptor)
        finally:
            os.close(descriptor)


class Held:
    """A state file under its lock."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self) -> Optional[List[str]]:
        """The numbers; None if there never were any, or they were forgotten."""
        content = os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)
        if not content:
            return None
        (length,) = _LENGTH.unpack_from(content)
        return content[_LENGTH.size : _LENGTH.size + length].decode().split("\n") if length else None

    def write(self, numbers: Optional[List[str]]) -> None:
        content = "\n".join(numbers or ()).encode()
        os.pwrite(self._descriptor, _LENGTH.pack(len(content)) + content, 0)
