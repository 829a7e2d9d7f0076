"""Running scripts in Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._scupper import PendingCall, RedisCalls
from ._redis_link import Steps, is_without_script

# Somebody may flush the scripts between a load and the call after it.
_ATTEMPTS = 5


def called(key: Any, call: PendingCall) -> Steps[Any]:
    """Carries out a call of the script, and gives what came of it."""
    answer = yield from run(key, RedisCalls.hash, RedisCalls.SCRIPT, call.arguments)
    return call.read(answer[1])


def run(key: Any, script_hash: str, text: str, arguments: Sequence[Any]) -> Steps[Any]:
    """Runs a script on one key, and gives the server's answer. A server that does not know it yet is given it first."""
    for _ in range(_ATTEMPTS):
        try:
            return (yield key, ("EVALSHA", script_hash, 1, key, *arguments))
        except Exception as error:
            if not is_without_script(error):
                raise
            without_script = error
        yield from loaded(key, text)
    raise without_script


def loaded(key: Any, text: str) -> Steps[str]:
    """Has the server that keeps the key know the script, and gives what it calls it."""
    answer: bytes = yield key, ("SCRIPT", "LOAD", text)
    return answer.decode()
