"""The clients of `extras`, all driven in one way: from threads, whether they are async or not."""

from __future__ import annotations

import asyncio
import importlib
import ssl
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from support.packages import SCUPPER
from support.threads import BOUND, Running


# One for all: it takes longer to make than a test.
_TLS = ssl.create_default_context()


@dataclass(frozen=True)
class Reply:
    """What came back, after all redirects."""

    status: int
    body: bytes


def extra(package: ModuleType, client: str) -> ModuleType:
    return importlib.import_module(f"{package.__name__}.extras.{client}_limiter")


class Pending:
    """A call of an async client, in the loop of the driver."""

    def __init__(self, driver: AsyncDriver, call: Coroutine[Any, Any, Any]) -> None:
        self._future = asyncio.run_coroutine_threadsafe(call, driver.loop)

    @property
    def ended(self) -> bool:
        return self._future.done()

    def result(self) -> Any:
        return self._future.result(BOUND)

    def cancel(self) -> None:
        self._future.cancel()


class SyncDriver:
    """A client that blocks."""

    is_async = False

    def __init__(self, make: Callable[[], Any]) -> None:
        self.client = make()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None:
        self.client.close()

    def start(self, url: str, method: str = "GET", **options: Any) -> Any:
        """A call under way, as far as its wait."""
        return Running(lambda: self.ask(url, method, **options)).until_asleep()

    def ask(self, url: str, method: str = "GET", **options: Any) -> Reply:
        response = self.client.request(method, url, **options)
        return Reply(response.status_code, response.content)


class AsyncDriver:
    """A client of an event loop, which runs in a thread of its own."""

    is_async = True

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __enter__(self) -> Any:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self.client = self.run(self._made())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        try:
            self.run(self._close())
        finally:
            self._end()

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        return Pending(self, call).result()

    def start(self, url: str, method: str = "GET", **options: Any) -> Pending:
        pending = Pending(self, self._ask(url, method, **options))
        self.run(_turns())
        return pending

    def ask(self, url: str, method: str = "GET", **options: Any) -> Reply:
        reply: Reply = self.run(self._ask(url, method, **options))
        return reply

    async def _made(self) -> Any:
        return self._make()

    async def _close(self) -> None:
        await self.client.aclose()

    async def _ask(self, url: str, method: str, **options: Any) -> Reply:
        response = await self.client.request(method, url, **options)
        return Reply(response.status_code, response.content)

    def _end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(BOUND)
        self.loop.close()


class AiohttpDriver(AsyncDriver):
    async def _close(self) -> None:
        await self.client.close()

    async def _ask(self, url: str, method: str, **options: Any) -> Reply:
        if "content" in options:
            options["data"] = options.pop("content")
        response = await getattr(self.client, method.lower())(url, **options)
        return Reply(response.status, await response.read())


class RequestsDriver(SyncDriver):
    def ask(self, url: str, method: str = "GET", **options: Any) -> Reply:
        if "content" in options:
            options["data"] = options.pop("content")
        return super().ask(url, method, **options)


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def requests(limiter: Any, *, package: ModuleType = SCUPPER, **options: Any) -> Any:
    session = extra(package, "requests").RateLimitedRequestsSession
    return RequestsDriver(lambda: session(limiter, **options))


def aiohttp(limiter: Any, *, package: ModuleType = SCUPPER, **options: Any) -> Any:
    session = extra(package, "aiohttp").RateLimitedSession
    return AiohttpDriver(lambda: session(limiter, **options))


def httpx(limiter: Any, *, package: ModuleType = SCUPPER, **options: Any) -> Any:
    return _httpx("httpx", limiter, package, options)


def httpx2(limiter: Any, *, package: ModuleType = SCUPPER, **options: Any) -> Any:
    return _httpx("httpx2", limiter, package, options)


def async_httpx(limiter: Any, *, package: ModuleType = SCUPPER, **options: Any) -> Any:
    return _async_httpx("httpx", limiter, package, options)


def async_httpx2(limiter: Any, *, package: ModuleType = SCUPPER, **options: Any) -> Any:
    return _async_httpx("httpx2", limiter, package, options)


def _httpx(name: str, limiter: Any, package: ModuleType, options: dict[str, Any]) -> SyncDriver:
    client = importlib.import_module(name).Client
    transport = extra(package, name).RateLimiterTransport
    options.setdefault("verify", _TLS)
    return SyncDriver(lambda: client(transport=transport(limiter, **options), follow_redirects=True))


def _async_httpx(name: str, limiter: Any, package: ModuleType, options: dict[str, Any]) -> AsyncDriver:
    client = importlib.import_module(name).AsyncClient
    transport = extra(package, name).AsyncRateLimiterTransport
    options.setdefault("verify", _TLS)
    return AsyncDriver(lambda: client(transport=transport(limiter, **options), follow_redirects=True))


Kind = Callable[..., Any]
SYNC: tuple[Kind, ...] = (requests, httpx, httpx2)
ASYNC: tuple[Kind, ...] = (aiohttp, async_httpx, async_httpx2)
ALL: tuple[Kind, ...] = (*SYNC, *ASYNC)


def named(kind: Kind) -> str:
    return kind.__name__.replace("_", " ")


sync_clients = pytest.mark.parametrize("client", SYNC, ids=named)
async_clients = pytest.mark.parametrize("client", ASYNC, ids=named)
all_clients = pytest.mark.parametrize("client", ALL, ids=named)


class Told:
    """Stands for a limiter: writes down what it is told, and gives the verdicts in turn, then True."""

    def __init__(self, *verdicts: Any, on_call: Callable[[], Any] = lambda: None) -> None:
        self.names: list[Any] = []
        self._verdicts = list(verdicts)
        self._on_call = on_call

    def try_acquire(self, *arguments: Any) -> Any:
        (name,) = arguments
        self.names.append(name)
        self._on_call()
        return self._verdicts.pop(0) if self._verdicts else True

    async def try_acquire_async(self, *arguments: Any) -> Any:
        return self.try_acquire(*arguments)
