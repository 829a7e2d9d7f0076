"""The examples of docs/python/middleware.md, each run as it stands."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType
from typing import Any

import pytest
import scupper.asgi

from support.pages import examples
from web_calls import application_answering, ask_wsgi, environ, http_scope, run_asgi, seen

EXAMPLES = examples("docs/python/middleware.md")
SITE = {kind: application_answering(kind, 200, b"framework") for kind in ("asgi", "wsgi")}


class FastAPI:
    """As much of the framework as its users see of middleware: a class to be made with the application and options."""

    def __init__(self) -> None:
        self.app = SITE["asgi"]

    def add_middleware(self, middleware_class: Any, *arguments: Any, **options: Any) -> None:
        self.app = middleware_class(self.app, *arguments, **options)


class Flask:
    def __init__(self, name: str) -> None:
        self.wsgi_app = SITE["wsgi"]


FRAMEWORKS: dict[str, dict[str, Any]] = {
    "fastapi": {"FastAPI": FastAPI},
    "flask": {"Flask": Flask},
    "django": {},
    "django.core": {},
    "django.core.wsgi": {"get_wsgi_application": lambda: SITE["wsgi"]},
}


def run(example: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The application that the example makes."""
    for name, members in FRAMEWORKS.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    made: dict[str, Any] = {"__name__": "example"}
    exec(compile(example, "example", "exec"), made)
    app = made.get("application", made.get("app"))
    return getattr(app, "wsgi_app", getattr(app, "app", app)) if isinstance(app, (FastAPI, Flask)) else app


def ask(app: Any, peer: str, *headers: tuple[str, str]) -> Any:
    if isinstance(app, scupper.asgi.RateLimitMiddleware):
        return seen(asyncio.run(run_asgi(app, http_scope("/export", "GET", list(headers), peer))))
    return ask_wsgi(app, environ("/export", "GET", list(headers), peer))


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) == 6


@pytest.mark.parametrize("example", [example for example in EXAMPLES if "async def site" not in example])
def test_an_example_limits_each_client(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = run(example, monkeypatch)
    statuses = [ask(app, "203.0.113.7").status for _ in range(11)]
    assert statuses[:5] == [200] * 5 and statuses[-1] == 429
    assert ask(app, "203.0.113.8").status == 200


def test_the_example_of_a_proxy_finds_the_client_in_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    [example] = [example for example in EXAMPLES if "trusted_proxies" in example]
    app = run(example, monkeypatch)
    app.app = SITE["asgi"]
    statuses = [ask(app, "10.0.0.1", ("X-Forwarded-For", "192.0.2.1")).status for _ in range(101)]
    assert statuses == [200] * 100 + [429]
    assert ask(app, "10.0.0.1", ("X-Forwarded-For", "192.0.2.2")).status == 200


def test_the_example_of_another_answer_keeps_the_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    [example] = [example for example in EXAMPLES if "slow_down" in example]
    app = run(example, monkeypatch)
    app.app = SITE["asgi"]
    answer = [ask(app, "203.0.113.7") for _ in range(6)][-1]
    assert (answer.status, answer.body, answer["Retry-After"]) == (429, b"slow down", "1")


def test_a_user_is_limited_by_name_wherever_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    [example] = [example for example in EXAMPLES if "USERS" in example]
    app = run(example, monkeypatch)
    key = ("X-API-Key", "a-secret-key")
    assert [ask(app, f"203.0.113.{number}", key).status for number in range(11)] == [200] * 10 + [429]
    forged = ("X-API-Key", "made-up")
    assert [ask(app, "203.0.113.99", forged).status for _ in range(11)] == [200] * 10 + [429]
