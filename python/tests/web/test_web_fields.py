"""The header fields that tell a client of its limit."""

from __future__ import annotations

import re
from typing import Any, Optional

import pytest
from scupper import InMemoryBucket, Limiter, Rate
from scupper._http.fields import policy_name
from web_calls import FIVE_A_MINUTE, said, Scripted, Seen, Site, denied

HOUR = Rate(1000, 3_600_000)

# RFC 9651, as far as these fields have need of it: a list of strings with integer parameters.
STRING = r'"[\x20-\x21\x23-\x5b\x5d-\x7e]*"'
LIST = re.compile(rf"{STRING}(;[a-z]+=\d{{1,15}})*(, {STRING}(;[a-z]+=\d{{1,15}})*)*")


def seen(site: Site, verdict: Any, headers: Optional[str] = "both", limiter: Any = None) -> Seen:
    answer = site.limited(limiter or Scripted(verdict), headers=headers).ask()
    for name in ("RateLimit", "RateLimit-Policy"):
        assert answer[name] is None or LIST.fullmatch(str(answer[name])), answer[name]
    return answer


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.0, "1"), (0.000_001, "1"), (0.999, "1"), (1.0, "1"), (1.000_001, "2"), (59.5, "60"), (86_400.0, "86400")],
)
def test_retry_after_is_at_least_one_second_and_never_early(site: Site, seconds: float, told: str) -> None:
    assert seen(site, denied(seconds))["Retry-After"] == told


def test_retry_after_is_told_whatever_other_headers_are(site: Site) -> None:
    for headers in ("ietf", "legacy", "both", None):
        assert seen(site, denied(2.5), headers)["Retry-After"] == "3"


def test_an_admitted_answer_has_no_retry_after(site: Site) -> None:
    assert seen(site, said())["Retry-After"] is None


def test_a_weight_that_never_fits_is_denied_without_a_time_to_come_again(site: Site) -> None:
    answer = seen(site, denied(None, never=True, weight=9, remaining=5))
    assert (answer.status, answer["Retry-After"]) == (429, None)
    assert b"9 units" in answer.body


def test_a_denial_of_which_the_end_is_not_known_tells_no_time(site: Site) -> None:
    answer = seen(site, denied(None, reset_after=None, remaining=None))
    assert (answer.status, answer["Retry-After"], answer["RateLimit"]) == (429, None, '"5/min";r=0')


def test_an_admitted_answer_tells_what_remains_and_for_how_long(site: Site) -> None:
    answer = seen(site, said(remaining=3, reset_after=41.2))
    assert answer["RateLimit"] == '"5/min";r=3;t=42'
    assert answer["RateLimit-Policy"] == '"5/min";q=5;w=60'
    legacy = {name: answer[f"X-RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset")}
    assert legacy == {"Limit": "5", "Remaining": "3", "Reset": "42"}


def test_the_time_is_that_of_the_rate_that_is_named_and_not_of_another_that_looks_back_further(site: Site) -> None:
    answer = seen(site, said(rate=Rate(5, 1000), remaining=4, reset_after=3600.000_001))
    assert (answer["RateLimit"], answer["X-RateLimit-Reset"]) == ('"5/s";r=4;t=1', "1")
    burst = seen(site, said(rate=Rate(5, 1000, burst=11), remaining=0, reset_after=3600.0))
    assert (burst["RateLimit"], burst["X-RateLimit-Reset"]) == ('"5/s+11";r=0;t=3', "3")


def test_over_two_rates_of_a_real_limiter_the_time_is_within_the_window_of_the_one_that_binds(site: Site) -> None:
    site.limited(Limiter([Rate(5, 60_000), Rate(9, 3_600_000)]), headers="both")
    answer = site.ask()
    assert (answer["RateLimit"], answer["X-RateLimit-Reset"]) == ('"5/min";r=4;t=60', "60")


@pytest.mark.parametrize(
    ("rate", "remaining", "told"),
    [(HOUR, 999, 3597), (HOUR, 1, 5), (HOUR, 0, 5), (Rate(5, 1000, burst=10), 10, 2), (FIVE_A_MINUTE, 5, 60)],
)
def test_no_client_reads_a_pace_above_the_rate_out_of_what_remains_and_for_how_long(
    site: Site, rate: Rate, remaining: int, told: int
) -> None:
    answer = seen(site, said(rate=rate, remaining=remaining, reset_after=4.1 if rate is HOUR else 0.0))
    assert str(answer["RateLimit"]).endswith(f";r={remaining};t={told}")


def test_a_request_that_never_fits_is_told_the_pace_too(site: Site) -> None:
    answer = seen(site, denied(None, never=True, weight=9, remaining=5, reset_after=0.0))
    assert (answer["Retry-After"], answer["RateLimit"]) == (None, '"5/min";r=5;t=60')


@pytest.mark.parametrize("endless", [float("inf"), float("nan")])
def test_a_wait_that_is_no_time_is_not_told(site: Site, endless: float) -> None:
    answer = seen(site, denied(endless, reset_after=endless))
    assert (answer.status, answer["Retry-After"], answer["RateLimit"]) == (429, None, '"5/min";r=0')
    assert b"Try again later." in answer.body


def test_no_number_is_longer_than_a_structured_field_may_hold(site: Site) -> None:
    answer = seen(site, denied(1e17, rate=Rate(5, 10**20)))
    assert str(answer["RateLimit"]).endswith(f";r=0;t={10**15 - 1}")
    assert str(answer["RateLimit-Policy"]).endswith(f";w={10**15 - 1}")


def test_a_limit_is_told_as_a_whole_number(site: Site) -> None:
    rate: Any = Rate(2.5, 1000)  # type: ignore[arg-type]
    answer = seen(site, said(rate=rate, limit=2.5))
    assert (answer["X-RateLimit-Limit"], answer["RateLimit-Policy"]) == ("2", '"2/s";q=2;w=1')


def test_a_denial_tells_the_same_moment_in_all_its_fields(site: Site) -> None:
    answer = seen(site, denied(2.5, reset_after=60.0))
    assert (answer["Retry-After"], answer["RateLimit"], answer["X-RateLimit-Reset"]) == ("3", '"5/min";r=0;t=3', "3")


def test_the_policy_lists_all_rates_of_the_bucket(site: Site) -> None:
    limiter: Any = Scripted(said())
    limiter.bucket_factory = Limiter(InMemoryBucket([Rate(5, 1000), HOUR])).bucket_factory
    answer = seen(site, None, limiter=limiter)
    assert answer["RateLimit-Policy"] == '"5/s";q=5;w=1, "1000/h";q=1000;w=3600'


@pytest.mark.parametrize(("style", "prefixes"), [("ietf", {"RateLimit"}), ("legacy", {"X-RateLimit"}), (None, set())])
def test_the_style_chooses_the_fields(site: Site, style: Optional[str], prefixes: set[str]) -> None:
    lines = seen(site, said(), style).lines
    names = {name.lower() for name, _ in lines if "ratelimit" in name.lower()}
    assert {"X-RateLimit" if name.startswith("x-") else "RateLimit" for name in names} == prefixes


def test_the_fields_are_those_of_the_draft_unless_said_otherwise(site: Site) -> None:
    names = [name.lower() for name, _ in site.limited(Scripted()).ask().lines if "ratelimit" in name.lower()]
    assert sorted(names) == ["ratelimit", "ratelimit-policy"]


def test_where_a_bucket_cannot_tell_what_remains_nothing_is_made_up(site: Site) -> None:
    answer = seen(site, said(remaining=None, reset_after=None))
    assert answer["RateLimit"] is None
    assert answer["RateLimit-Policy"] == '"5/min";q=5;w=60'
    assert [answer[f"X-RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset")] == ["5", None, None]


def test_where_no_rate_binds_only_the_time_is_told(site: Site) -> None:
    answer = seen(site, denied(2.5, rate=None, remaining=None))
    assert [answer[name] for name in ("Retry-After", "RateLimit", "RateLimit-Policy")] == ["3", None, None]


@pytest.mark.parametrize(
    ("rate", "name", "policy"),
    [
        (Rate(5, 1000), "5/s", "q=5;w=1"),
        (Rate(5, 2000), "5/2s", "q=5;w=2"),
        (Rate(100, 15 * 60_000), "100/15min", "q=100;w=900"),
        (HOUR, "1000/h", "q=1000;w=3600"),
        (Rate(1, 24 * 3_600_000), "1/d", "q=1;w=86400"),
        (Rate(10_000, 4 * 604_800_000), "10000/4w", "q=10000;w=2419200"),
        (Rate(3, 1500), "3/1500ms", "q=3;w=2"),
        (Rate(3, 1), "3/ms", "q=3;w=1"),
        (Rate(5, 1000, burst=10), "5/s+10", "q=5;w=1"),
        (Rate(10**20, 1000), f"{10**20}/s", f"q={10**15 - 1};w=1"),
    ],
)
def test_a_policy_is_named_as_its_rate_is_written(site: Site, rate: Rate, name: str, policy: str) -> None:
    assert policy_name(rate) == name
    answer = seen(site, said(rate=rate, remaining=int(rate.limit)))
    assert answer["RateLimit-Policy"] == f'"{name}";{policy}'
    assert str(answer["RateLimit"]).startswith(f'"{name}";r={min(rate.limit, 10**15 - 1)};')


def test_fields_that_the_application_sets_itself_are_left_alone(site: Site) -> None:
    site.lines = [("Content-Type", "text/plain"), ("ratelimit", '"mine";r=1'), ("X-RATELIMIT-Limit", "7")]
    answer = seen(site, said())
    assert answer["RateLimit"] == '"mine";r=1'
    assert answer["RateLimit-Policy"] is None, "ours would not be about the application's policy"
    assert (answer["X-RateLimit-Limit"], answer["X-RateLimit-Remaining"]) == ("7", None)


def test_all_other_fields_of_the_application_stay_as_they_are_in_their_order(site: Site) -> None:
    cookies = [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Retry-After", "9")]
    site.lines = cookies
    assert seen(site, said()).lines[:4] == cookies


def test_two_limits_one_inside_the_other_tell_of_the_inner_one(site: Site) -> None:
    inner = site.limited(Scripted(said(remaining=1)))
    outer = Site(site.kind)
    outer._asgi = outer._wsgi = inner.app  # type: ignore[method-assign]
    answer = outer.limited(Scripted(said(remaining=3))).ask()
    assert answer["RateLimit"] == '"5/min";r=1;t=60'


def test_a_style_that_there_is_not_is_refused(site: Site) -> None:
    with pytest.raises(ValueError, match="'ietf', 'legacy', 'both' or None"):
        site.limited(Scripted(), headers="draft")
