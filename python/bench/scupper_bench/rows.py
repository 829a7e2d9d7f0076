"""What a comparison came to."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Optional


@dataclass(frozen=True)
class Spread:
    """A measured value over all rounds."""

    least: float
    median: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        values = sorted(values)
        if not values or not all(math.isfinite(value) for value in values):
            raise ValueError(f"nothing was measured, or no number: {values}")
        return cls(values[0], median(values), values[-1])


@dataclass(frozen=True)
class Target:
    """The ratio to reach: at most so much of what costs, at least so much of what is had."""

    ratio: float
    is_least: bool = False

    def is_met_by(self, ratio: float) -> bool:
        return ratio >= self.ratio if self.is_least else ratio <= self.ratio

    def __str__(self) -> str:
        return f"{'>=' if self.is_least else '<='} {self.ratio:.3g}"


@dataclass(frozen=True)
class Row:
    """Our side of a case beside the peer's."""

    case: str
    ours: Spread
    peer_name: str
    peer: Spread
    unit: str
    # Ours over the peer's, round by round: below 1 is less, be it time or requests a second.
    ratio: Spread
    target: Optional[Target]

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "ok" if self.target.is_met_by(self.ratio.median) else "MISSED"


def write(path: Path, rows: Iterable[Row]) -> None:
    """The rows for programs, in the form of all suites."""
    entries = [
        {
            "suite": "python",
            "case": row.case,
            "ours": row.ours.median,
            "peer_name": row.peer_name,
            "peer": row.peer.median,
            "unit": row.unit,
            "ratio": row.ratio.median,
        }
        for row in rows
    ]
    path.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


_HEADER = ("case", "ours", "peer", "its", "ratio", "target", "")


def render(rows: Iterable[Row]) -> str:
    """The rows for people: median (least to most) in every measured cell."""
    lines = [_HEADER, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADER))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    ours, peer = (f"{_shown(side, 1)} {row.unit}" for side in (row.ours, row.peer))
    target = "" if row.target is None else str(row.target)
    return row.case, ours, row.peer_name, peer, _shown(row.ratio, 4), target, row.verdict


def _shown(spread: Spread, digits: int) -> str:
    return f"{spread.median:.{digits}f} ({spread.least:.{digits}f}..{spread.most:.{digits}f})"
