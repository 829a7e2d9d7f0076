"""Where a bucket in an SQLite file lies, and which files this process uses through Python's own SQLite."""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Tuple, Union
from urllib.parse import quote

from ._owned_file import OwnedFile, new_folder

FileId = Tuple[int, int]

_MEMORY = ":memory:"
_in_python: weakref.WeakValueDictionary[Any, Any] = weakref.WeakValueDictionary()
_native: weakref.WeakValueDictionary[Any, Any] = weakref.WeakValueDictionary()


@dataclass(frozen=True)
class SQLitePlace:
    """A file, or the memory of this process where ``path`` is None; ``owned`` if it goes with the bucket."""

    path: Optional[str]
    owned: Optional[OwnedFile] = None

    @staticmethod
    def at(db_path: Union[None, str, bytes, os.PathLike[Any]]) -> SQLitePlace:
        """What a user's path means: a file of its own if there is none."""
        if db_path is None:
            folder = new_folder()
            return SQLitePlace(str(Path(folder.path) / "limits.sqlite"), folder)
        text = os.fsdecode(db_path)
        return SQLitePlace(None if text == _MEMORY else os.path.abspath(text))

    def exists(self) -> bool:
        return self.path is not None and os.path.exists(self.path)

    def url(self) -> str:
        """The same as the URL of a native store."""
        return "memory:" if self.path is None else f"sqlite:{quote('/' + self.path.lstrip('/'))}"

    def connect(self) -> sqlite3.Connection:
        """A connection of Python's own SQLite, which any thread may use, to a file that others may use as well.

        Raises ``ValueError`` if native code has the file open.
        """
        if self.path is not None and _file_id(self.path) in _native:
            raise ValueError(f"{self.path} is open as the file of native buckets; name another file")
        connection = sqlite3.connect(self.path or _MEMORY, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    @contextmanager
    def opening_natively(self) -> Iterator[None]:
        """Has the file opened natively by the body. Raises ``ValueError`` if it is another's, and says what to do.

        Two libraries of SQLite on one file in one process undo each other's locks, so that a file that is known to be
        open in Python is not even looked at.
        """
        right = f"if its tables are for Python's sqlite3, use SQLiteBucket(rates, sqlite3.connect({self.path!r}), table)"
        if self.path is not None and _file_id(self.path) in _in_python:
            raise ValueError(f"{self.path} is open in this process through Python's sqlite3; name another file, or {right}")
        try:
            yield
        except ValueError as error:
            if "another program" not in str(error):
                raise
            raise ValueError(f"{error}; or, {right}") from error


def used_in_python(user: object, path: str) -> None:
    """Notes that ``user`` has the file open through Python's own SQLite, as long as it lives."""
    _note(_in_python, user, path)


def used_natively(user: object, path: Optional[str]) -> None:
    """Notes that ``user`` has the file open through native code, as long as it lives."""
    if path is not None:
        _note(_native, user, path)


def _note(users: weakref.WeakValueDictionary[Any, Any], user: object, path: str) -> None:
    identity = _file_id(path)
    if identity is not None:
        users[identity] = user


def _file_id(path: str) -> Optional[FileId]:
    """Which file it is. It is not opened for that: to close it again would let go the locks of this process."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino)
