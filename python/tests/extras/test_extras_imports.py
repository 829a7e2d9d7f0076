"""Clients are needed by their own modules only, which say what to install."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.programs import run


@pytest.mark.parametrize("client", ["aiohttp", "httpx", "httpx2", "requests"])
def test_without_the_client_the_import_says_what_to_install(client: str, tmp_path: Path) -> None:
    shown = run(
        tmp_path,
        f"""
        import sys
        sys.modules["{client}"] = None
        try:
            import scupper.extras.{client}_limiter
        except ImportError as error:
            print(type(error).__name__, error.name, error, error.__cause__)
        import scupper.extras
        """,
    )
    assert shown == [
        f"ModuleNotFoundError {client} scupper.extras.{client}_limiter needs {client}, which is not installed: "
        f"the extra {client} of scupper brings it None"
    ]


def test_an_aiohttp_that_is_too_old_is_named(tmp_path: Path) -> None:
    shown = run(
        tmp_path,
        """
        import aiohttp
        del aiohttp.ClientHandlerType
        try:
            import scupper.extras.aiohttp_limiter
        except ImportError as error:
            print(error)
        """,
    )
    assert shown == ["scupper.extras.aiohttp_limiter needs aiohttp 3.12 or newer"]


def test_a_client_that_lacks_something_itself_is_not_said_to_be_missing(tmp_path: Path) -> None:
    shown = run(
        tmp_path,
        """
        import sys
        sys.modules["httpcore"] = None
        sys.modules["multidict"] = None
        for client in ("requests", "aiohttp"):
            try:
                __import__(f"scupper.extras.{client}_limiter")
            except ImportError as error:
                print(client, error.name)
        """,
    )
    assert shown == ["aiohttp multidict"]


def test_the_package_itself_imports_no_client(tmp_path: Path) -> None:
    shown = run(
        tmp_path,
        """
        import sys
        import scupper
        print(sorted({"aiohttp", "httpx", "httpx2", "requests"} & set(sys.modules)))
        """,
    )
    assert shown == ["[]"]
