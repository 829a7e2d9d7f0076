"""What becomes of a request, in front of either kind of application."""

from __future__ import annotations

import json
import pickle
import re
from typing import Any

import pytest
import scupper.asgi
import scupper.wsgi
from scupper import Duration, Limiter, Rate
from scupper._fork import _in_child
from scupper._http.seldom import INTERVAL_SECONDS, Seldom
from web_calls import PEER, said, Scripted, Site, application_answering, denied


def test_an_admitted_request_is_answered_by_the_application(site: Site) -> None:
    limiter = Scripted()
    answer = site.limited(limiter).ask("/here")
    assert (answer.status, answer.body) == (200, b"hello")
    assert limiter.asked == [(PEER, 1)]
    assert len(site.calls) == 1


def test_a_denied_request_does_not_reach_the_application(site: Site) -> None:
    answer = site.limited(Scripted(denied(2.5))).ask()
    assert (answer.status, site.calls) == (429, [])
    assert answer["Retry-After"] == "3"


def test_a_denial_is_a_problem_document(site: Site) -> None:
    answer = site.limited(Scripted(denied(0.2))).ask()
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Content-Length"] == str(len(answer.body))
    assert json.loads(answer.body) == {
        "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "Try again in 1 second.",
        "violated-policies": ["5/min"],
    }


def test_the_answer_to_head_has_no_body_but_the_headers_of_one(site: Site) -> None:
    site.limited(Scripted(denied(2.5)))
    head, get = site.ask(method="HEAD"), site.ask(method="GET")
    assert head.body == b""
    assert (head.status, head.lines) == (get.status, get.lines)


def test_a_client_that_sends_no_address_is_not_limited_and_shares_its_name_with_nobody(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    limiter = Scripted(denied())
    site.limited(limiter)
    assert [site.ask(peer=peer).status for peer in (None, "", None)] == [200, 200, 200]
    assert limiter.asked == []
    [record] = caplog.records
    assert (record.name, record.levelname) == ("scupper.http", "WARNING")
    assert "no client address" in record.getMessage()


def test_clients_without_an_address_are_limited_under_the_name_that_a_key_gives(site: Site) -> None:
    limiter = Scripted(denied())
    answer = site.limited(limiter, key=lambda request: request.client or "local").ask(peer=None)
    assert (answer.status, limiter.names) == (429, ["local"])


def test_a_key_sees_the_request_alike_on_both_kinds_of_server(site: Site) -> None:
    seen: list[Any] = []

    def key(request: Any) -> str:
        seen.append((request.kind, request.method, request.path, request.client))
        seen.append([request.header(name) for name in ("X-API-Key", "x-api-key", "Cookie", "X-Nothing")])
        return str(request.header("X-API-Key"))

    limiter = Scripted()
    sent = [("X-API-Key", "secret"), ("Cookie", "a=1")]
    site.limited(limiter, key=key).ask("/caf\u00e9/1", method="POST", headers=sent)
    assert seen == [("http", "POST", "/caf\u00e9/1", PEER), ["secret", "secret", "a=1", None]]
    assert limiter.names == ["secret"]


@pytest.mark.parametrize("name", ["", "a\0b\n'\"{}", "\u0416\U0001f600", "k" * 1024, "\u0416" * 512])
def test_any_text_is_a_name(site: Site, name: str) -> None:
    limiter = Scripted()
    assert site.limited(limiter, key=lambda _: name).ask().status == 200
    assert limiter.names == [name]


@pytest.mark.parametrize("name", ["k" * 1025, "\u0416" * 513, "\xff" * 40_000, "lone \ud800"])
def test_a_text_that_a_store_might_refuse_counts_by_its_digest(site: Site, name: str) -> None:
    limiter = Scripted()
    site.limited(limiter, key=lambda request: name + request.path)
    for path in ("/", "/", "/other"):
        assert site.ask(path).status == 200
    first, again, other = limiter.names
    assert first == again != other
    assert re.fullmatch("sha256:[0-9a-f]{64}", first)


@pytest.mark.parametrize("name", [42, b"bytes", True, ["a"]])
def test_a_key_that_gives_no_text_is_an_error_of_the_program(site: Site, name: Any) -> None:
    with pytest.raises(TypeError, match="key must give a str"):
        site.limited(Scripted(), key=lambda _: name, on_outage="allow").ask()


def test_a_key_may_leave_a_request_unlimited(site: Site) -> None:
    limiter = Scripted(denied())
    assert site.limited(limiter, key=lambda _: None).ask().status == 200
    assert limiter.asked == []


def test_a_weight_may_be_another_for_each_request(site: Site) -> None:
    limiter = Scripted()
    site.limited(limiter, weight=lambda request: 10 if request.path == "/export" else 0)
    site.ask("/export")
    site.ask("/")
    assert [weight for _, weight in limiter.asked] == [10, 0]
    site.limited(limiter, weight=3).ask()
    assert limiter.asked[-1] == (PEER, 3)


def test_a_weight_that_is_none_is_refused(site: Site) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        site.limited(Scripted(), weight=-1)
    with pytest.raises(TypeError, match="whole number"):
        site.limited(Scripted(), weight=1.5)
    with pytest.raises(TypeError, match="whole number"):
        site.limited(Scripted(), weight=lambda _: None, on_outage="allow").ask()


@pytest.mark.parametrize(
    ("path", "is_limited"),
    [
        ("/health", False), ("/health/", True), ("/healthy", True), ("/static/", False), ("/static/a/b.css", False),
        ("/static", True), ("/Static/a", True), ("/static/../api", True), ("/static/a/..", True),
        ("/static/a..b", False), ("/", True),
    ],
)  # fmt: skip
def test_paths_that_are_skipped_are_not_limited(site: Site, path: str, is_limited: bool) -> None:
    limiter = Scripted(denied())
    answer = site.limited(limiter, skip=["/health", "/static/"]).ask(path)
    assert answer.status == (429 if is_limited else 200)
    assert len(limiter.asked) == is_limited


def test_one_path_alone_may_be_skipped(site: Site) -> None:
    site.limited(Scripted(denied()), skip="/health")
    assert [site.ask(path).status for path in ("/health", "/", "/h")] == [200, 429, 429]


def test_a_path_that_could_never_be_met_is_refused(site: Site) -> None:
    with pytest.raises(ValueError, match="begin with a slash"):
        site.limited(Scripted(), skip=["health"])
    not_a_path: Any = 1
    with pytest.raises(TypeError, match="must be a str"):
        site.limited(Scripted(), skip=[not_a_path])


def test_the_first_page_is_not_taken_for_all_that_is_below_it(site: Site) -> None:
    with pytest.raises(ValueError, match="would skip all paths"):
        site.limited(Scripted(), skip=["/health", "/"])


@pytest.mark.parametrize(("option", "value"), [("key", "ip"), ("key", None), ("response", b"no"), ("limiter", 5)])
def test_an_option_that_could_never_be_called_is_refused_when_the_middleware_is_made(
    site: Site, option: str, value: Any
) -> None:
    with pytest.raises(TypeError, match=f"{option} must be a"):
        site.limited(**{"limiter": Scripted(), option: value})


def test_an_application_that_is_none_is_refused(site: Site) -> None:
    module: Any = scupper.asgi if site.kind == "asgi" else scupper.wsgi
    with pytest.raises(TypeError, match="app must be a function, not None"):
        module.RateLimitMiddleware(None, Scripted())


def test_a_function_may_say_what_is_skipped(site: Site) -> None:
    site.limited(Scripted(denied()), skip=lambda request: request.method == "OPTIONS")
    assert [site.ask(method=method).status for method in ("OPTIONS", "GET")] == [200, 429]


def test_skipped_requests_get_no_fields(site: Site) -> None:
    answer = site.limited(Scripted(), skip="/free", headers="both").ask("/free")
    assert answer.lines == [("Content-Type", "text/plain")]


def answer_of(kind: str, *arguments: Any, **named: Any) -> Any:
    return (scupper.asgi if kind == "asgi" else scupper.wsgi).Answer(*arguments, **named)


def test_a_custom_answer_gets_the_fields_that_it_does_not_set(site: Site) -> None:
    def response(request: Any, verdict: Any) -> Any:
        text = f"{request.path} {verdict.retry_after}".encode()
        return answer_of(site.kind, 503, text, (("Content-Type", "text/plain"), ("RateLimit", '"mine";r=0')))

    answer = site.limited(Scripted(denied(2.5)), response=response).ask("/x")
    assert (answer.status, answer.body) == (503, b"/x 2.5")
    assert (answer["Retry-After"], answer["RateLimit"], answer["Content-Length"]) == ("3", '"mine";r=0', "6")


def test_an_application_may_answer_in_the_place_of_429(site: Site) -> None:
    app = application_answering(site.kind, 420, b"calm")
    answer = site.limited(Scripted(denied(2.5)), response=lambda request, verdict: app).ask()
    assert (answer.status, answer.body, answer["Retry-After"]) == (420, b"calm", "3")


def test_a_denial_stays_one_where_the_function_has_no_answer(site: Site) -> None:
    answer = site.limited(Scripted(denied(2.5)), response=lambda request, verdict: None).ask()
    assert (answer.status, site.calls) == (429, [])


@pytest.mark.parametrize(
    ("status", "headers", "length"), [(204, (), None), (429, (), "0"), (429, (("content-length", "0"),), "0")]
)
def test_a_length_is_told_once_and_only_where_there_may_be_a_body(
    site: Site, status: int, headers: Any, length: Any
) -> None:
    typed = headers if status == 204 else (*headers, ("Content-Type", "text/plain"))
    custom = answer_of(site.kind, status, b"", typed)
    assert site.limited(Scripted(denied()), response=lambda *_: custom).ask()["Content-Length"] == length


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_that_allows_no_body_is_sent_without_one(site: Site, status: int) -> None:
    custom = answer_of(site.kind, status, b"nobody may see this")
    answer = site.limited(Scripted(denied()), response=lambda *_: custom).ask()
    assert (answer.status, answer.body, answer["Content-Length"]) == (status, b"", None)


def test_the_application_finds_the_verdict_in_the_request(site: Site) -> None:
    verdict = said(remaining=2)
    site.limited(Scripted(verdict)).ask()
    assert site.calls[0]["scupper.verdict"] is verdict


class Down(RuntimeError):
    pass


def test_when_the_limiter_is_down_a_request_is_answered_503_unless_said_otherwise(site: Site) -> None:
    answer = site.limited(Scripted(Down("store"))).ask()
    assert (answer.status, site.calls) == (503, [])
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Retry-After"] is None, "nobody knows when"
    assert b"store" not in answer.body, "what failed is not the client's affair"
    assert json.loads(answer.body)["status"] == 503


def test_when_the_limiter_is_down_a_request_may_pass(site: Site) -> None:
    answer = site.limited(Scripted(Down()), on_outage="allow", headers="both").ask()
    assert (answer.status, answer.body, answer.lines) == (200, b"hello", [("Content-Type", "text/plain")])


def test_when_the_limiter_is_down_its_exception_may_be_raised(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    down = Down("store")
    with pytest.raises(Down) as raised:
        site.limited(Scripted(down), on_outage="raise").ask()
    assert raised.value is down
    assert caplog.records == []


@pytest.mark.parametrize("policy", ["deny", "allow"])
def test_an_outage_is_logged_once_in_a_while_and_not_for_each_request(
    site: Site, policy: str, caplog: pytest.LogCaptureFixture
) -> None:
    site.limited(Scripted(Down("store")), on_outage=policy)
    for _ in range(100):
        site.ask()
    [record] = caplog.records
    assert record.exc_info is not None and isinstance(record.exc_info[1], Down)


def test_what_was_held_back_is_counted_in_the_next_warning(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    seldom = Seldom(lambda: now)
    for now in (5.0, 6.0, 5.0 + INTERVAL_SECONDS - 0.1, 5.0 + INTERVAL_SECONDS, 5.0 + 2 * INTERVAL_SECONDS):
        seldom.warn("It failed.")
    more = " (2 more since the last such warning)"
    assert [record.getMessage() for record in caplog.records] == ["It failed.", "It failed." + more, "It failed."]


def test_a_child_that_was_forked_while_a_warning_was_under_way_can_warn(caplog: pytest.LogCaptureFixture) -> None:
    seldom = Seldom()
    assert seldom._lock.acquire(timeout=1)
    _in_child()
    assert seldom._lock.acquire(timeout=1), "the lock of a thread that is not in the child"
    seldom._lock.release()
    seldom.warn("It failed.")
    assert len(caplog.records) == 1


def app_by_name(*_: Any) -> Any: ...


def test_a_middleware_goes_through_a_pickle() -> None:
    limiter = Limiter(Rate(1, Duration.HOUR))
    for module in (scupper.asgi, scupper.wsgi):
        kinds: Any = module
        made = kinds.RateLimitMiddleware(app_by_name, limiter, trusted_proxies=["10.0.0.0/8"], skip=["/health"])
        again = pickle.loads(pickle.dumps(made))
        assert (type(again), again.app, type(again.limiter)) == (type(made), app_by_name, Limiter)


def test_an_error_in_a_function_of_the_user_is_no_outage(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    def fails(*_: Any) -> Any:
        raise KeyError("mine")

    for options in ({"key": fails}, {"weight": fails}, {"skip": fails}, {"response": fails}):
        with pytest.raises(KeyError):
            site.limited(Scripted(denied()), on_outage="allow", **options).ask()
    assert caplog.records == []


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interrupt_is_no_outage(site: Site, interrupt: Any) -> None:
    def asked(name: str) -> Any:
        raise interrupt

    with pytest.raises(interrupt):
        site.limited(Scripted(asked), on_outage="allow").ask()
    assert site.calls == []


def test_an_outage_policy_that_there_is_not_is_refused(site: Site) -> None:
    with pytest.raises(ValueError, match="'deny', 'allow' or 'raise'"):
        site.limited(Scripted(), on_outage="open")


def test_an_error_of_the_application_passes_through(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    def fails(*_: Any) -> Any:
        raise ZeroDivisionError

    site._asgi = site._wsgi = fails  # type: ignore
    with pytest.raises(ZeroDivisionError):
        site.limited(Scripted()).ask()
    assert caplog.records == []


def test_each_of_thousands_of_clients_has_a_limit_of_its_own(site: Site) -> None:
    left: dict[str, int] = {}

    def once(name: str) -> Any:
        left[name] = left.get(name, 1) - 1
        return said() if left[name] >= 0 else denied()

    site.limited(Scripted(once))
    clients = [f"10.{number // 256}.{number % 256}.1" for number in range(2_000)]
    assert {site.ask(peer=client).status for client in clients} == {200}
    assert {site.ask(peer=client).status for client in clients[:50]} == {429}
