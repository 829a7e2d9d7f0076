"""The examples of the pages that say what there is run as they stand, against servers of the tests."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scupper import Limiter, Rate

from support.pages import ROOT, examples
from support.servers import Postgres, Redis


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    with Redis() as server:
        yield server.url


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with Postgres() as server:
        yield server.url


def play(example: str, names: dict[str, Any]) -> None:
    """Runs it, among the names that those before it made."""
    exec(compile(example, "example", "exec"), names)


def test_the_examples_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for example in examples("README.md"):
        play(example, names)
    assert names["verdict"].allowed and names["verdict"].remaining == 99
    assert (tmp_path / "limits.db").exists()
    names["shared"].close()


def test_the_example_of_the_page_for_users_of_the_reference_runs() -> None:
    names: dict[str, Any] = {}
    [example] = examples("docs/python.md")
    play(example, names)
    assert names["limiter"].peek("my-resource").used >= 2


def test_the_page_for_users_of_the_reference_leads_to_every_other() -> None:
    page = (ROOT / "docs/python.md").read_text()
    for other in (ROOT / "docs/python").glob("*.md"):
        assert f"(python/{other.name})" in page


def test_every_page_leads_back_and_its_links_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "docs/python.md", ROOT / "docs/host-stores.md", *(ROOT / "docs/python").glob("*.md")]
    for page in pages:
        text = page.read_text()
        assert page.parent.name != "python" or "(../python.md)" in text, page
        for path, place in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", text):
            target = page.parent / path if path else page
            assert target.exists(), f"{page} leads to {path}"
            assert not place or place in places(target), f"{page} leads to {path}#{place}"


def places(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_no_page_tells_to_install_what_no_registry_has() -> None:
    for page in [ROOT / "README.md", ROOT / "docs/python.md", *(ROOT / "docs/python").glob("*.md")]:
        assert "scupper[" not in page.read_text(), page


def test_the_examples_of_the_page_about_stores_run(
    redis: str, postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for example in examples("docs/python/stores.md"):
        play(example.replace("redis://localhost", redis).replace("postgres://app@db/app", postgres), names)
    assert names["limiter"].peek().used == 1
    assert names["by_user"].peek("user-42").used == 1
    assert names["patient"].peek().used == 1
    for made in ("limiter", "by_user", "patient"):
        names[made].close()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:limits.db?timeout=500ms",
        "shm:./limits?size=16MiB&mode=660&timeout=2s",
        "redis://user:pass%40word@localhost:6379/1?prefix=mine:",
        "valkey://localhost",
        "rediss://localhost?prefix=mine:",
        "redis+sentinel://one,two/master?sentinel_user=a&sentinel_password=b",
        "redis+cluster://one,two?prefix=mine:",
        "postgres://user:password@localhost:5432/app?schema=s&durability=relaxed&pool=2&connect_timeout=3&sslmode=require",
        "postgresql://localhost/app?application_name=a&target_session_attrs=read-write&keepalives=1",
    ],
)
def test_what_the_page_about_stores_says_may_follow_in_a_url_may(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Limiter.open(url, Rate(5, 1000)).close()
    shown = (ROOT / "docs/python/stores.md").read_text()
    for option in re.findall(r"[?&](\w+)=", url):
        assert f"`{option}`" in shown
    with pytest.raises(ValueError, match="option"):
        Limiter.open(f"{url}{'&' if '?' in url else '?'}unheard_of=1", Rate(5, 1000))


def test_the_examples_of_the_page_about_postgres_run(postgres: str) -> None:
    names: dict[str, Any] = {}
    over_a_pool, over_an_async_one, moving = (
        example.replace("postgresql://app@10.0.0.1/app", postgres) for example in examples("docs/python/postgres.md")
    )
    play(over_a_pool, names)
    play(over_an_async_one, {})
    with names["pool"].connection() as connection:
        connection.execute("CREATE TABLE ratelimit___calls (name varchar, weight smallint, item_timestamp timestamp)")
        connection.execute("INSERT INTO ratelimit___calls VALUES ('item', 1, localtimestamp)")
    names["bucket"].flush()
    moved: dict[str, Any] = {}
    play(moving, moved)
    assert moved["bucket"].count() == moved["used"] == 1
    moved["pool"].close()
    names["limiter"].close()
