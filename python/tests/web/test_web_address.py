"""Under which name a client is limited."""

from __future__ import annotations

import random
import string
from ipaddress import ip_address, ip_network
from time import process_time
from typing import Any, Optional

import pytest
from scupper._http.address import AddressRules, parsed
from web_calls import Scripted, Site

PROXY = "10.0.0.1"
TRUSTED = ["10.0.0.0/8", "fd00::/8"]


def name(peer: Optional[str], forwarded: Optional[str] = None, *, trusted: Any = TRUSTED, **options: Any) -> Any:
    rules = AddressRules(trusted, options.pop("header", "X-Forwarded-For"), options.pop("ipv6_prefix", 64))
    assert not options
    return rules.name_of(peer, forwarded)


def test_a_client_is_known_by_the_address_of_its_connection() -> None:
    assert name("203.0.113.7") == "203.0.113.7"


def test_a_forged_x_forwarded_for_is_not_believed_from_a_peer_that_is_no_trusted_proxy() -> None:
    assert name("203.0.113.7", "198.51.100.1") == "203.0.113.7"
    assert name("203.0.113.7", "198.51.100.1", trusted=()) == "203.0.113.7"


def test_the_address_that_a_trusted_proxy_reports_is_believed() -> None:
    assert name(PROXY, "198.51.100.1") == "198.51.100.1"


def test_what_a_client_wrote_before_the_proxys_own_word_is_not_believed() -> None:
    assert name(PROXY, "192.0.2.1, 192.0.2.2, 198.51.100.1") == "198.51.100.1"


def test_with_many_hops_the_nearest_that_is_not_trusted_is_the_client() -> None:
    assert name(PROXY, "192.0.2.1, 198.51.100.1, 10.9.9.9, fd00::5, 10.0.0.2") == "198.51.100.1"


def test_a_client_may_claim_a_trusted_address_in_vain() -> None:
    assert name(PROXY, "10.0.0.7, 192.0.2.1, 198.51.100.1, 10.0.0.2") == "198.51.100.1"


def test_where_all_hops_are_trusted_the_farthest_is_the_client() -> None:
    assert name(PROXY, "10.0.0.9, 10.0.0.8") == "10.0.0.9"


@pytest.mark.parametrize(
    "written", ["198.51.100.1:4711", '"198.51.100.1:4711"', " 198.51.100.1\t", "::ffff:198.51.100.1"]
)
def test_an_ipv4_hop_is_read_with_a_port_quotes_spaces_or_mapped_into_ipv6(written: str) -> None:
    assert name(PROXY, f"192.0.2.1, {written}") == "198.51.100.1"


@pytest.mark.parametrize(
    "written", ["2001:db8:1:2:3::4", "[2001:db8:1:2:3::4]", "[2001:db8:1:2:3::4]:443", '"[2001:db8:1:2:3::4]:443"']
)
def test_an_ipv6_hop_is_read_with_brackets_and_a_port(written: str) -> None:
    assert name(PROXY, written) == "2001:db8:1:2::/64"


GARBAGE = [
    "unknown", "_hidden", "unix:", "1.2.3", "1.2.3.4.5", "1.2.3.4:", "1.2.3.4:port", "1.2.3.4:123456", "256.1.1.1",
    "[::1", "::1]", "[::1]443", "[::1]:", "[1.2.3.4]:80", "[]", ":::", "1.2.3.4 5.6.7.8", "01.02.03.04", "2130706433",
    "١.٢.٣.٤", "1.2.3.4\x00", "localhost", "-1", "<script>", "9" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("garbage", GARBAGE)
def test_at_garbage_the_way_ends_and_the_hop_that_wrote_it_is_the_client(garbage: str) -> None:
    assert name(PROXY, f"192.0.2.1, {garbage}") == PROXY
    assert name(PROXY, f"192.0.2.1, {garbage}, 10.0.0.2") == "10.0.0.2"


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_that_a_client_wrote_hides_nobody(garbage: str) -> None:
    assert name(PROXY, f"{garbage}, 198.51.100.1") == "198.51.100.1"


@pytest.mark.parametrize("header", ["", " ", ",", ", ,\t,"])
def test_an_empty_header_names_nobody_but_the_peer(header: str) -> None:
    assert name(PROXY, header) == PROXY


def test_empty_elements_of_a_header_are_passed_over() -> None:
    assert name(PROXY, "192.0.2.1, 198.51.100.1, , 10.0.0.2,") == "198.51.100.1"


def test_ipv6_clients_are_limited_by_their_64_bit_network() -> None:
    assert name("2001:db8:1:2:aaaa::1") == name("2001:db8:1:2:bbbb::2") == "2001:db8:1:2::/64"
    assert name("2001:db8:1:3::1") != name("2001:db8:1:2::1")


@pytest.mark.parametrize(
    ("prefix", "expected"), [(48, "2001:db8:1::/48"), (56, "2001:db8:1:200::/56"), (128, "2001:db8:1:2ff::1")]
)
def test_the_network_of_ipv6_clients_can_be_of_another_size(prefix: int, expected: str) -> None:
    assert name("2001:db8:1:2ff::1", ipv6_prefix=prefix) == expected


def test_a_client_on_ipv4_has_one_name_on_every_kind_of_socket() -> None:
    assert name("::ffff:203.0.113.7") == name("203.0.113.7") == "203.0.113.7"


def test_a_proxy_is_trusted_on_every_kind_of_socket() -> None:
    assert name("::ffff:10.0.0.1", "198.51.100.1") == "198.51.100.1"
    assert name(PROXY, "198.51.100.1", trusted=["::ffff:10.0.0.0/104"]) == "198.51.100.1"
    assert name("11.0.0.1", "198.51.100.1", trusted=["::ffff:10.0.0.0/104"]) == "11.0.0.1"


def test_the_zone_of_a_link_local_address_is_no_part_of_its_name() -> None:
    assert name("fe80::1%eth0") == name("fe80::1%9") == "fe80::/64"
    assert name("fe80::1%eth0", ipv6_prefix=128) == "fe80::1"


def test_proxies_are_given_as_addresses_networks_or_objects() -> None:
    trusted = ["192.0.2.1", "fd00::1", ip_network("10.0.0.0/8")]
    for proxy in ("192.0.2.1", "fd00::1", "10.1.1.1"):
        assert name(proxy, "198.51.100.1", trusted=trusted) == "198.51.100.1"
    assert name("192.0.2.2", "198.51.100.1", trusted=trusted) == "192.0.2.2"


@pytest.mark.parametrize("peer", [None, "", "unix:", "localhost"])
def test_a_peer_without_an_address_is_believed_only_as_the_trusted_proxy_unix(peer: Optional[str]) -> None:
    assert name(peer, "198.51.100.1") == (peer or None)
    assert name(peer, "192.0.2.1, 198.51.100.1", trusted=["unix"]) == "198.51.100.1"
    assert name(peer, "garbage", trusted=["unix"]) == (peer or None)


def test_forwarded_is_read_in_the_place_of_x_forwarded_for_where_that_was_chosen() -> None:
    written = 'for=192.0.2.1;proto=http, For="[2001:db8:cafe::17]:4711"; by=10.0.0.2, proto=https;for=10.0.0.3'
    assert name(PROXY, written, header="Forwarded") == "2001:db8:cafe::/64"


@pytest.mark.parametrize(
    "element", ["for=unknown", "for=_secret", "proto=http", 'for="', "for", "=", ";;", "for=;for="]
)
def test_an_element_of_forwarded_without_an_address_ends_the_way(element: str) -> None:
    assert name(PROXY, f"for=192.0.2.1, {element}", header="Forwarded") == PROXY


def test_a_quotation_that_a_client_opens_does_not_swallow_what_the_proxy_wrote() -> None:
    assert name(PROXY, 'for="192.0.2.1, for=198.51.100.1', header="Forwarded") == "198.51.100.1"
    assert name(PROXY, '"192.0.2.1, 198.51.100.1') == "198.51.100.1"


def test_any_other_header_is_read_as_a_list_of_addresses() -> None:
    assert name(PROXY, "198.51.100.1", header="X-Real-IP") == "198.51.100.1"


def test_only_the_chosen_header_is_read(site: Site) -> None:
    limiter = Scripted()
    sent = [("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=192.0.2.2"), ("X-Real-IP", "192.0.2.3")]
    site.limited(limiter, trusted_proxies=TRUSTED).ask(headers=sent, peer=PROXY)
    site.limited(limiter, trusted_proxies=TRUSTED, forwarded_header="forwarded").ask(headers=sent, peer=PROXY)
    site.limited(limiter, trusted_proxies=TRUSTED, forwarded_header="X-Real-IP").ask(headers=sent, peer=PROXY)
    assert limiter.names == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]


def test_several_lines_of_the_header_are_one_list(site: Site) -> None:
    limiter = Scripted()
    sent = [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-For", "10.0.0.2")]
    site.limited(limiter, trusted_proxies=TRUSTED).ask(headers=sent, peer=PROXY)
    assert limiter.names == ["198.51.100.1"]


@pytest.mark.parametrize("proxy", ["10.0.0.1/8", "example.com", "", "*", "10.0.0.0/33"])
def test_a_trusted_proxy_that_is_no_network_is_refused_when_the_middleware_is_made(site: Site, proxy: str) -> None:
    with pytest.raises(ValueError):
        site.limited(Scripted(), trusted_proxies=[proxy])


def test_a_text_is_not_taken_for_a_list_of_proxies(site: Site) -> None:
    proxies: Any
    for proxies in ("10.0.0.0/8", None, 1):
        with pytest.raises(TypeError, match=r"\['10.0.0.0/8'\]"):
            site.limited(Scripted(), trusted_proxies=proxies)


@pytest.mark.parametrize("proxy", [1, b"\x0a\x00\x00\x01", None])
def test_a_number_is_not_taken_for_an_address(site: Site, proxy: Any) -> None:
    with pytest.raises(TypeError, match="must be a network"):
        site.limited(Scripted(), trusted_proxies=[proxy])


@pytest.mark.parametrize("prefix", [0, 129, -1])
def test_a_prefix_that_ipv6_does_not_have_is_refused(site: Site, prefix: int) -> None:
    with pytest.raises(ValueError, match="1 to 128"):
        site.limited(Scripted(), ipv6_prefix=prefix)


@pytest.mark.parametrize("prefix", ["64", 64.0, True, None])
def test_a_prefix_that_is_no_whole_number_is_refused(site: Site, prefix: Any) -> None:
    with pytest.raises(TypeError, match="whole number"):
        site.limited(Scripted(), ipv6_prefix=prefix)


@pytest.mark.parametrize("header", ["", "X Forwarded For", "X-Forwarded-For:", "X-Forwarded-F\u00f6r", b"forwarded"])
def test_a_header_that_cannot_be_is_refused(site: Site, header: Any) -> None:
    with pytest.raises(ValueError, match="X-Forwarded-For"):
        site.limited(Scripted(), forwarded_header=header)


PIECES = [
    "10.0.0.1", "198.51.100.1", "2001:db8::1", "::ffff:10.0.0.1", "fd00::1", "[", "]", ":", "::", "%", "%eth0", ",",
    ";", "for=", "FOR =", '"', "\\", " ", "\t", "80", ":80", "unknown", "_x", "\x00", "\xff", "é", "１", "\ud800", ".",
    "/", "-",
]  # fmt: skip


def made_up(chance: random.Random) -> str:
    if chance.random() < 0.2:
        return "".join(chance.choices(string.printable, k=chance.randrange(80)))
    return "".join(chance.choices(PIECES, k=chance.randrange(14)))


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_no_header_and_no_peer_makes_the_parser_raise_or_invent_a_client(header: str) -> None:
    chance = random.Random(20_261_130)
    rules = AddressRules([*TRUSTED, "unix"], header, 64)
    for _ in range(20_000):
        peer = chance.choice([None, PROXY, "fd00::9", made_up(chance)])
        written = made_up(chance)
        found = rules.name_of(peer, written)
        if found is not None and found != peer:
            network = ip_network(found)
            assert network.prefixlen == (32 if network.version == 4 else 64), (peer, written, found)


def test_whatever_precedes_it_the_word_of_the_nearest_proxy_counts() -> None:
    chance = random.Random(7)
    for header, last in (("X-Forwarded-For", "198.51.100.1"), ("Forwarded", "for=198.51.100.1")):
        rules = AddressRules(TRUSTED, header, 64)
        for _ in range(5_000):
            assert rules.name_of(PROXY, f"{made_up(chance)},{last}") == "198.51.100.1"


def test_every_address_is_read_back_from_every_way_of_writing_it() -> None:
    chance = random.Random(64)
    for _ in range(2_000):
        four, six = ip_address(chance.getrandbits(32)), ip_address(chance.getrandbits(128))
        port = chance.randrange(65_536)
        assert parsed(str(four)) == parsed(f"{four}:{port}") == four
        assert parsed(str(six)) == parsed(f"[{six}]") == parsed(f"[{six.exploded}]:{port}") == six


def test_a_huge_header_is_read_no_further_than_the_client() -> None:
    forged = "10.0.0.9," * 100_000
    assert name(PROXY, f"{forged}198.51.100.1") == "198.51.100.1"


def test_a_trusted_peer_makes_nobody_wait_by_a_long_header() -> None:
    def seconds(hops: int) -> float:
        times = []
        for _ in range(3):
            begun = process_time()
            assert name(PROXY, "," * hops) == PROXY
            times.append(process_time() - begun)
        return min(times)

    assert seconds(200_000) < 64 * seconds(12_500), "what is sixteen times as long takes about as many times as long"
