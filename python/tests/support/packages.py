"""The two packages that are held beside each other."""

from types import ModuleType

import pyrate_limiter
import scupper

ORACLE: ModuleType = pyrate_limiter
SCUPPER: ModuleType = scupper
BOTH = (ORACLE, SCUPPER)


def label(package: ModuleType) -> str:
    """Name a package in a test's id."""
    return "oracle" if package is ORACLE else "scupper"
