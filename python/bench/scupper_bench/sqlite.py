"""A limit in a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from .contest import Contest, is_faster
from .loops import admitted
from .packages import PACKAGES

# Never full, and at a thousand requests a second few entries.
ROOMY = (10_000_000, 50)


def contests(stack: ExitStack) -> Iterator[Contest]:
    folder = Path(stack.enter_context(TemporaryDirectory()))
    alone = (admitted(_limiter(stack, package, folder / "alone", False)) for package in PACKAGES)
    yield Contest("SQLite, try_acquire", *alone, target=is_faster(30))
    shared = (admitted(_limiter(stack, package, folder / "shared", True)) for package in PACKAGES)
    yield Contest("SQLite for several processes, try_acquire", *shared)


def _limiter(stack: ExitStack, package: ModuleType, folder: Path, use_file_lock: bool) -> Any:
    path = folder / package.__name__ / "limits.sqlite"
    path.parent.mkdir(parents=True)
    rates = [package.Rate(*ROOMY)]
    bucket = package.SQLiteBucket.init_from_file(rates, db_path=str(path), use_file_lock=use_file_lock)
    return stack.enter_context(package.Limiter(bucket))
