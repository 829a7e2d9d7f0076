"""What is measured: ours first."""

from __future__ import annotations

from types import ModuleType

import pyrate_limiter
import scupper

PACKAGES = (scupper, pyrate_limiter)


def named(name: str) -> ModuleType:
    return next(package for package in PACKAGES if package.__name__ == name)
