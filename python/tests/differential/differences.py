"""What this package does otherwise on purpose. `python/DIFFERENCES.md` gives each its reason.

Each entry is a key under which the tests and that file name it.
"""

import re
from typing import Any

# Single calls (by their names in `test_calls.py`) with an outcome of their own.
CALLS: dict[str, tuple[Any, ...]] = {
    "duration hashed": ("returned", ("int", 1000)),
    "rate of a float interval": ("returned", ("int", 2)),
    "bucket of a rate": ("returned", ("InMemoryBucket", "...")),
    "limiter of a tuple": ("returned", ("NoneType", None)),
    "rate with a negative limit": ("raised", "AssertionError", "Rate's limit must be >= 1, not -5"),
    "acquire with an endless timeout": (
        "raised",
        "OverflowError",
        "timeout is too large; at most 9223372036.0 seconds",
    ),
    "acquire with no number as timeout": ("raised", "ValueError", "timeout must be -1 or >= 0"),
}

# Sentences of Python's own about arguments, which differ from one version of it to the next.
OF_PYTHON = re.compile(
    r"not supported between|unsupported operand|positional argument|unexpected keyword|must be real number|int\(\) argument"
    r"|too large to convert|invalid literal|interpreted as an integer|object is not iterable|object has no attribute"
)


def same_but_for_pythons_words(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> bool:
    """Whether two errors are of one type, where the words of the reference's are none of its own."""
    if theirs[0] != "raised" or ours[:2] != theirs[:2]:
        return False
    # Ours may say more after the same words.
    return theirs[2] == "" or ours[2].startswith(f"{theirs[2]}: ") or OF_PYTHON.search(theirs[2]) is not None
