"""What is said to whoever gives the wrong thing: what is wrong, and what would be right."""

import re
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import scupper
from scupper import Duration, Limiter, MultiprocessBucket, Rate, SQLiteBucket, StateBucket, asgi, wsgi
from scupper.conformance import ConformanceError, check_bucket

from support.packages import ORACLE

SECOND = Rate(5, Duration.SECOND)
MINUTE = Rate(100, Duration.MINUTE)
NO_RATES = "rates must be a Rate or a list of them, such as Rate(5, Duration.SECOND); not "
OUTAGE = 'it must be "error", "fail-open", "fail-closed", or rates to hold to in this process meanwhile'


def raises(kind: type[BaseException], words: str, call: Callable[[], Any]) -> None:
    with pytest.raises(kind, match=re.escape(words)) as raised:
        call()
    assert raised.type is kind


def over_sqlite(rates: Any) -> Any:
    return SQLiteBucket(rates, sqlite3.connect(":memory:"), "limits")


MAKERS: dict[str, Callable[[Any], Any]] = {
    "InMemoryBucket": scupper.InMemoryBucket,
    "StateBucket": StateBucket,
    "MultiprocessBucket.init": MultiprocessBucket.init,
    "SQLiteBucket": over_sqlite,
    "SQLiteBucket.init_from_file": SQLiteBucket.init_from_file,
    "StoreBucket": lambda rates: scupper.StoreBucket("memory:", rates),
}
makers = pytest.mark.parametrize("maker", MAKERS)


class TestRates:
    @makers
    @pytest.mark.parametrize("given", [SECOND, [SECOND], (SECOND,)], ids=["one", "list", "tuple"])
    def test_one_rate_a_list_and_a_tuple_make_a_bucket(self, maker: str, given: Any) -> None:
        bucket = MAKERS[maker](given)
        assert bucket.rates == [SECOND]
        bucket.rates = MINUTE
        assert bucket.rates == [MINUTE]
        bucket.close()

    def test_a_tuple_makes_a_limiter(self) -> None:
        with Limiter((MINUTE, SECOND)) as limiter:
            assert limiter.buckets()[0].rates == [SECOND, MINUTE]

    @makers
    @pytest.mark.parametrize("given", ["5/s", 5, None, ["5/s"], [SECOND, "5/s"]], ids=str)
    def test_what_is_no_rate_is_named(self, maker: str, given: Any) -> None:
        with pytest.raises((TypeError, AttributeError), match=re.escape(f"{NO_RATES}{given!r}")) as raised:
            MAKERS[maker](given)
        if maker != "StoreBucket":
            with pytest.raises(raised.type):
                ORACLE.InMemoryBucket(["5/s"] if given == [SECOND, "5/s"] else given)

    @pytest.mark.parametrize("given", ["5/s", ["5/s"], ("5/s", SECOND), 5, None], ids=str)
    def test_a_limiter_over_what_is_no_rate_is_refused_as_by_the_reference(self, given: Any) -> None:
        raises(AssertionError, f"{NO_RATES}{given!r}", lambda: Limiter(given))
        with pytest.raises(AssertionError):
            ORACLE.Limiter(given)

    def test_a_second_rate_is_no_buffer(self) -> None:
        words = "buffer_ms must be a number, not a Rate; give the rates as one list"
        raises(TypeError, words, lambda: Limiter(SECOND, MINUTE))  # type: ignore[arg-type]

    def test_a_coroutine_is_to_be_awaited(self) -> None:
        async def made() -> None:
            """As RedisBucket.init gives it for a client to await."""

        waiting = made()
        raises(AssertionError, "it is a coroutine: await RedisBucket.init(...)", lambda: Limiter(waiting))  # type: ignore[arg-type]
        waiting.close()

    def test_an_interval_is_milliseconds_or_a_duration(self) -> None:
        words = "Rate's interval is milliseconds or a Duration, not "
        raises(ValueError, f"{words}'second'", lambda: Rate(5, "second"))  # type: ignore[arg-type]
        raises(TypeError, f"{words}{timedelta(seconds=1)!r}", lambda: Rate(5, timedelta(seconds=1)))  # type: ignore[arg-type]

    def test_a_bucket_of_ones_own_without_rates_is_told_to_set_them(self) -> None:
        class Mine(scupper.InMemoryBucket):
            def __init__(self) -> None:
                pass

        raises(AttributeError, "Mine has no rates: set self.rates in __init__", lambda: Limiter(Mine()))


class TestStores:
    def test_what_is_no_rate_is_named(self) -> None:
        raises(TypeError, f"{NO_RATES}'5/s'", lambda: Limiter.open("memory:", "5/s"))  # type: ignore[arg-type]
        raises(TypeError, f"{NO_RATES}'5/s'", lambda: Limiter.per_key("5/s"))  # type: ignore[arg-type]

    def test_swapped_arguments_are_told_apart_and_show_no_password(self) -> None:
        raises(TypeError, "url must be a str", lambda: Limiter.open(SECOND, "redis://:secret@h"))  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=re.escape(f"{NO_RATES}'redis://...'")) as raised:
            Limiter.per_key("redis://:secret@h")  # type: ignore[arg-type]
        assert "secret" not in str(raised.value)

    def test_a_key_is_a_str(self) -> None:
        raises(TypeError, "key must be a str, not 5", lambda: Limiter.open("memory:", SECOND, key=5))  # type: ignore[arg-type]

    def test_options_of_another_type_are_named(self) -> None:
        options = {"call_timeout": "a number of seconds", "denial_cache": "a number of seconds", "max_waiting": "a whole number"}
        for name, words in options.items():
            named: Any = {name: "x"}
            raises(TypeError, f"{name} must be {words}, not 'x'", lambda: Limiter.open("memory:", SECOND, **named))
        raises(TypeError, "prefix must be a str, not 5", lambda: Limiter.per_key(SECOND, prefix=5))  # type: ignore[arg-type]

    def test_options_that_cannot_be_are_named(self) -> None:
        options = {"call_timeout": "a number of seconds", "denial_cache": "a number of seconds", "max_waiting": "a whole number"}
        for name, words in options.items():
            named: Any = {name: -1}
            raises(ValueError, f"{name} is -1; it must be {words} >= 0", lambda: Limiter.open("memory:", SECOND, **named))

    @pytest.mark.parametrize("given", [None, 3, ["x"]], ids=str)
    def test_an_outage_that_is_no_policy_is_told_what_there_is(self, given: Any) -> None:
        raises(TypeError, f"outage is {given!r}; {OUTAGE}", lambda: Limiter.open("memory:", SECOND, outage=given))
        raises(ValueError, f'outage is "x"; {OUTAGE}', lambda: Limiter.open("memory:", SECOND, outage="x"))


@pytest.mark.parametrize("given", [None, "2"])
def test_a_timeout_is_a_number_as_for_the_reference(given: Any) -> None:
    words = f"timeout must be a number of seconds, or -1 for no limit; not {given!r}"
    with Limiter(SECOND) as limiter:
        raises(TypeError, words, lambda: limiter.try_acquire(timeout=given))
        raises(TypeError, words, lambda: limiter.reserve(timeout=given))
    with pytest.raises(TypeError):
        ORACLE.Limiter(ORACLE.Rate(1, 1)).try_acquire(timeout=given)


def clients() -> dict[str, Callable[..., Any]]:
    from scupper.extras import aiohttp_limiter, httpx2_limiter, httpx_limiter, requests_limiter

    return {
        "RateLimitedRequestsSession": requests_limiter.RateLimitedRequestsSession,
        "RateLimitedSession": aiohttp_limiter.RateLimitedSession,
        "httpx": httpx_limiter.RateLimiterTransport,
        "httpx async": httpx_limiter.AsyncRateLimiterTransport,
        "httpx2": httpx2_limiter.RateLimiterTransport,
        "httpx2 async": httpx2_limiter.AsyncRateLimiterTransport,
    }


@pytest.mark.parametrize("client", clients())
class TestClients:
    def test_a_rate_is_no_limiter(self, client: str) -> None:
        raises(TypeError, f"limiter must be a Limiter, not {SECOND!r}", lambda: clients()[client](SECOND))

    def test_the_longest_hold_is_a_number(self, client: str) -> None:
        words = "longest_hold must be a positive number of seconds, not 'x'"
        raises(TypeError, words, lambda: clients()[client](Limiter(SECOND), longest_hold="x"))


class TestProxies:
    @pytest.mark.parametrize("made", [asgi.RateLimitMiddleware, wsgi.RateLimitMiddleware], ids=["asgi", "wsgi"])
    def test_what_is_no_network_is_named_with_its_option(self, made: Any) -> None:
        def trusting(proxy: Any) -> Callable[[], Any]:
            return lambda: made(print, Limiter(SECOND), trusted_proxies=[proxy])

        raises(ValueError, "trusted_proxies has 'nonsense'", trusting("nonsense"))
        raises(ValueError, "did you mean 10.0.0.0/8", trusting("10.0.0.1/8"))
        raises(TypeError, "trusted_proxies has 5", trusting(5))


class TestNames:
    def test_errors_of_python_name_what_users_call(self) -> None:
        limiter: Any = Limiter(SECOND)
        raises(TypeError, "Limiter.reset() missing", limiter.reset)
        raises(TypeError, "Limiter.open() got an unexpected", lambda: Limiter.open(name=5))  # type: ignore[call-arg]

    @pytest.mark.parametrize("made", [asgi.RateLimitMiddleware, wsgi.RateLimitMiddleware], ids=["asgi", "wsgi"])
    def test_a_middleware_bears_its_own_name(self, made: Any) -> None:
        raises(TypeError, "RateLimitMiddleware.__init__() got an unexpected", lambda: made(print, Limiter(SECOND), foo=1))

    @pytest.mark.parametrize("client", [client for client in clients() if client.startswith("httpx")])
    def test_a_transport_bears_its_own_name(self, client: str) -> None:
        name = "AsyncRateLimiterTransport" if "async" in client else "RateLimiterTransport"
        with pytest.raises(TypeError, match=rf"^{name}\.__init__\(\) missing"):
            clients()[client]()

    def test_store_buckets_are_at_the_top(self) -> None:
        assert scupper.StoreBucket is scupper.buckets.StoreBucket and "StoreBucket" in scupper.__all__


class TestChecks:
    def test_a_bucket_itself_is_refused_before_all_checks(self) -> None:
        bucket: Any = scupper.InMemoryBucket([SECOND])
        raises(TypeError, "make must be a class, or a function of rates", lambda: check_bucket(bucket))

    def test_one_check_is_not_several(self) -> None:
        class Mine(scupper.InMemoryBucket):
            def leak(self, current_timestamp: Any = None) -> int:
                return super().leak(current_timestamp + 0)

        with pytest.raises(ConformanceError, match="^1 check failed:\ntest_leak_may_be_called_without_a_time: .*TypeError"):
            check_bucket(Mine)

    def test_one_unit_is_not_several(self) -> None:
        with Limiter(Rate(1, Duration.HOUR)) as limiter:
            assert limiter.try_acquire()
            raises(TimeoutError, "there is no room for 1 unit within 0.0 seconds", lambda: limiter.reserve(timeout=0))
