"""Files that belong to the process that made them."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any


class OwnedFile:
    """Something at ``path`` that is removed when the process that made it closes or forgets it, or ends.

    Other processes, forked ones included, and whoever unpickles it have its name alone.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._removal: Any = weakref.finalize(self, _remove, path, os.getpid())

    def close(self) -> None:
        """Removes it, if it is this process's."""
        if self._removal is not None:
            self._removal()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_removal": None}


def new_shared_memory() -> OwnedFile:
    """A name in the folder that shared memory lies in. Nothing is there yet."""
    return OwnedFile(f"/dev/shm/scupper-{_own_name()}")


def new_folder() -> OwnedFile:
    """An empty folder for temporary files."""
    return OwnedFile(tempfile.mkdtemp(prefix=f"scupper-{_own_name()}-"))


def _own_name() -> str:
    return f"{os.getpid()}-{secrets.token_hex(8)}"


def _remove(path: str, maker: int) -> None:
    if os.getpid() != maker:
        return
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        Path(path).unlink(missing_ok=True)
