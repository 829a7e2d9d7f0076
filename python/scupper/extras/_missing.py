"""What to say where a client is not installed."""

from __future__ import annotations


def missing(client: str, error: ModuleNotFoundError) -> ModuleNotFoundError:
    """What to raise in the place of ``error``, which came of importing ``client``."""
    if error.name != client:
        return error  # the client is there, and lacks something itself
    return ModuleNotFoundError(
        f"scupper.extras.{client}_limiter needs {client}, which is not installed: the extra {client} of scupper brings it",
        name=client,
    )
