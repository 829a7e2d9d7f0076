"""All checks of a bucket, as a class for pytest and as a function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Dict, List, Optional, Type, Union

from .._arguments import counted
from ..abstracts.bucket import AbstractBucket
from ..abstracts.rate import Rate
from ._deciding import Deciding
from ._failure import ConformanceError
from ._keeping import Keeping


class BucketConformance(Deciding, Keeping):
    """What every bucket must keep to, each promise a check of its own.

    Derive a class whose name begins with ``Test`` and give :meth:`make`; pytest does the rest::

        class TestMyBucket(BucketConformance):
            def make(self, rates):
                return MyBucket(rates)

    Without pytest, :func:`check_bucket` runs them. The bucket must decide at the timestamps of the items that are put.
    """


def check_bucket(
    make: Callable[[List[Rate]], Union[AbstractBucket, Awaitable[AbstractBucket]]],
    checks: Optional[Type[BucketConformance]] = None,
) -> None:
    """Runs every check on buckets that ``make`` gives: new and empty ones, under the rates that it gets.

    ``checks`` is a class derived from :class:`BucketConformance` whose attributes or ``model`` differ.

    Raises ``TypeError`` if ``make`` is a bucket itself, and :class:`ConformanceError` that names each check which failed, and says what the bucket did and should have done.
    """

    if not callable(make):
        raise TypeError(
            f"make must be a class, or a function of rates, which gives a new bucket each time; not {make!r}. For example: "
            "check_bucket(lambda rates: MyBucket(rates))"
        )
    made = {"make": lambda self, rates: make(rates)}
    suite: Type[BucketConformance] = type("Checks", (checks or BucketConformance,), made)
    failed: Dict[str, BaseException] = {}
    for name in (name for name in dir(suite) if name.startswith("test_")):
        try:
            getattr(suite(), name)()
        except Exception as error:
            failed[name] = error
    if failed:
        told = "\n".join(f"{name}: {_said(error)}" for name, error in failed.items())
        raise ConformanceError(f"{counted(len(failed), 'check')} failed:\n{told}") from next(iter(failed.values()))


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, ConformanceError) else f"{type(error).__name__}: {error}"
