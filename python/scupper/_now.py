"""Readings of real clocks, told apart from times that a caller made up."""

from __future__ import annotations


class Now(int):
    """A reading of a clock of this host.

    It means the moment in which it was read. A bucket elsewhere, whose server has a clock of its own, decides at that
    server's time instead, so that hosts whose clocks disagree still share one limit. Any other number is a time of the
    caller's, and counts as it is.
    """

    __slots__ = ()
