"""The algorithms, and what they answer."""

from .._home import known_by
from ._base_algorithm import Algorithm
from ._decision import ADMITTED, Decision
from ._log_algorithm import FixedWindow, LogAlgorithm, SlidingWindowLog
from ._state_algorithm import GCRA, State, StateAlgorithm, TokenBucket

__all__ = [
    "ADMITTED",
    "Algorithm",
    "Decision",
    "FixedWindow",
    "GCRA",
    "LogAlgorithm",
    "SlidingWindowLog",
    "State",
    "StateAlgorithm",
    "TokenBucket",
]

known_by(
    __name__,
    Algorithm,
    Decision,
    FixedWindow,
    GCRA,
    LogAlgorithm,
    SlidingWindowLog,
    StateAlgorithm,
    TokenBucket,
)
