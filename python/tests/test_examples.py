"""The example programs do what they say."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.http_servers import Server
from support.programs import run
from support.servers import Redis

EXAMPLES = Path(__file__).parent / "examples"


def play(name: str, folder: Path) -> dict[str, list[str]]:
    lines = run(folder, (EXAMPLES / f"{name}.py").read_text())
    return {line.split()[0]: line.split()[1:] for line in lines}


def test_tasks_share_a_limiter_and_the_loop_lives(tmp_path: Path) -> None:
    shown = play("asyncio_tasks", tmp_path)
    assert shown["tasks"] == ["10"]
    # Three at once, and each further three a period later.
    assert int(shown["periods"][0]) >= 3
    assert int(shown["ticks"][0]) >= 4


def test_a_decorator_limits_an_async_function(tmp_path: Path) -> None:
    shown = play("asyncio_decorator", tmp_path)
    assert shown["squares"] == [str(number * number) for number in range(10)]
    assert int(shown["periods"][0]) >= 3


def test_a_token_bucket_lets_a_burst_through(tmp_path: Path) -> None:
    shown = play("token_bucket", tmp_path)
    assert shown["at"] == ["once", "10"]
    assert int(shown["periods"][0]) >= 1


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Stands for the host that the programs about HTTP ask."""
    with Server() as server:
        monkeypatch.setenv("EXAMPLE_URL", server.url)
        yield server


def test_a_client_of_httpx_waits_for_its_units(tmp_path: Path, server: Server) -> None:
    shown = play("httpx_sync", tmp_path)
    assert shown["statuses"] == ["200"] * 10
    assert int(shown["periods"][0]) >= 3
    assert len(server.seen) == 10


def test_tasks_share_a_client_of_httpx_and_the_loop_lives(tmp_path: Path, server: Server) -> None:
    shown = play("httpx_async", tmp_path)
    assert shown["statuses"] == ["200"] * 10
    assert int(shown["periods"][0]) >= 3
    assert int(shown["ticks"][0]) >= 4
    assert len(server.seen) == 10


def test_processes_share_the_limit_of_their_clients_of_httpx(tmp_path: Path, server: Server) -> None:
    shown = play("httpx_multiprocess", tmp_path)
    assert shown["statuses"] == ["200"] * 10
    assert int(shown["periods"][0]) >= 3
    assert sorted(server.paths) == [f"/?number={number}" for number in range(10)]


@pytest.mark.parametrize("name", ["in_memory_multiprocess", "sqlite_multiprocess"])
def test_processes_share_a_limit(name: str, tmp_path: Path) -> None:
    shown = play(name, tmp_path)
    assert shown["tasks"] == [{"in_memory_multiprocess": "60", "sqlite_multiprocess": "30"}[name]]
    assert int(shown["periods"][0]) >= 2


def test_one_limit_in_redis_for_threads_and_for_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Redis() as server:
        monkeypatch.setenv("REDIS_URL", server.url)
        shown = play("redis_limits", tmp_path)
    assert shown["count"] == ["0"]
    for way in ("thread", "tasks"):
        admitted, periods = map(int, shown[way])
        assert admitted == 10 and periods >= 3


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_every_example_is_run_above_and_tells_what_it_shows(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))
    source = Path(__file__).read_text()
    assert f'play("{path.stem}"' in source or f'"{path.stem}", ' in source or f'"{path.stem}"]' in source
