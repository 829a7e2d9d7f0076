"""Units that were taken for something whose cost is known only afterwards."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, Type, TypeVar

from ._arguments import whole_number
from ._taken import Taken

if TYPE_CHECKING:
    from ._beyond import Beyond

_Self = TypeVar("_Self", bound="Reservation")


class Reservation:
    """Units that are held, until :meth:`settle` says what was used of them: the rest is given back at once.

    In a ``with`` or ``async with`` block, it is kept whole when the block ends unsettled, and given back whole when the
    block ends by an exception. One that is dropped unsettled keeps its units: they count until they leave their window.
    It belongs to its process and cannot be pickled.
    """

    __slots__ = ("__weakref__", "_kept", "_limiter", "_name", "_taken", "_weight")

    def __init__(self, limiter: Beyond, name: str, weight: int, taken: Taken) -> None:
        self._limiter = limiter
        self._name = name
        self._weight = weight
        self._taken = taken
        self._kept: Optional[int] = None

    @property
    def name(self) -> str:
        """As it was asked for."""
        return self._name

    @property
    def weight(self) -> int:
        """Units that were reserved."""
        return self._weight

    def settle(self, units: int) -> None:
        """Keeps ``units`` and gives the rest back; those who wait may have it.

        Raises ``ValueError`` for more units than were reserved, and ``RuntimeError`` if it is settled already. With a
        store that is away, it stays open.
        """
        self._end(self._checked(units))

    async def settle_async(self, units: int) -> None:
        """:meth:`settle` in an event loop."""
        await self._end_later(self._checked(units))

    def cancel(self) -> None:
        """Gives everything back. Does nothing if it is settled already."""
        if self._kept is None:
            self._end(0)

    async def cancel_async(self) -> None:
        """:meth:`cancel` in an event loop."""
        if self._kept is None:
            await self._end_later(0)

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self, exc_type: Optional[Type[BaseException]], exc: Optional[BaseException], tb: Optional[TracebackType]
    ) -> None:
        if exc_type is not None:
            self.cancel()
        elif self._kept is None:
            self._end(self._weight)

    async def __aenter__(self: _Self) -> _Self:
        return self

    async def __aexit__(
        self, exc_type: Optional[Type[BaseException]], exc: Optional[BaseException], tb: Optional[TracebackType]
    ) -> None:
        if exc_type is not None:
            await self.cancel_async()
        elif self._kept is None:
            await self._end_later(self._weight)

    def __repr__(self) -> str:
        state = "open" if self._kept is None else f"kept {self._kept}"
        return f"Reservation(name={self._name!r}, weight={self._weight}, {state})"

    def __reduce__(self) -> Any:
        raise TypeError("a reservation cannot be pickled; settle it in the process that made it")

    def _checked(self, units: int) -> int:
        units = whole_number("units", units, least=0)
        if units > self._weight:
            raise ValueError(
                f"{units} units are more than the {self._weight} that were reserved; settle for those, and take what was used "
                "beyond them with penalize"
            )
        if self._kept is not None:
            raise RuntimeError(f"the reservation is settled already: {self!r}")
        return units

    def _end(self, units: int) -> None:
        permit = self._taken.take()
        self._kept = units
        if permit is None:
            return
        try:
            with self._taken.given_back(permit):
                self._limiter._settle(self._name, self._taken, permit, units)
        except TypeError:  # it has to be awaited
            self._taken.put_back(permit)
            raise
        finally:
            self._open_again()

    async def _end_later(self, units: int) -> None:
        permit = self._taken.take()
        self._kept = units
        if permit is None:
            return
        try:
            with self._taken.given_back(permit):
                await self._limiter._settle_async(self._name, self._taken, permit, units)
        finally:
            self._open_again()

    def _open_again(self) -> None:
        """If nothing came of the attempt to end it."""
        if self._taken.is_left():
            self._kept = None
