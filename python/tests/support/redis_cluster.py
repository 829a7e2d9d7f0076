"""A cluster of two nodes, each with half of the slots."""

import contextlib
from collections.abc import Iterator

from support.servers import Redis, free_port
from support.threads import eventually

SLOTS = 16384
_HALF = SLOTS // 2


def node() -> Redis:
    return Redis("cluster-enabled yes", f"cluster-port {free_port()}", "cluster-node-timeout 15000")


class Cluster:
    """Both nodes, and what moves a slot from one to the other."""

    def __init__(self, nodes: tuple[Redis, Redis]) -> None:
        self.nodes = nodes
        for number, each in enumerate(nodes):
            _done(each, "CLUSTER", "ADDSLOTSRANGE", number * _HALF, (number + 1) * _HALF - 1)
        first, second = nodes
        _done(first, "CLUSTER", "MEET", "127.0.0.1", second.port, _bus_port(second))
        for each in nodes:
            eventually(lambda each=each: self._is_whole(each), "the cluster came up")  # type: ignore[misc]

    @staticmethod
    def _is_whole(node: Redis) -> bool:
        info = node.command("CLUSTER", "INFO")
        return b"cluster_state:ok" in info and b"cluster_known_nodes:2" in info

    def begin_move(self, slot: int) -> tuple[Redis, Redis]:
        """Has a slot be on its way; its keys are still where they were."""
        giver, taker = self.nodes if slot < _HALF else self.nodes[::-1]
        _done(taker, "CLUSTER", "SETSLOT", slot, "IMPORTING", _name(giver))
        _done(giver, "CLUSTER", "SETSLOT", slot, "MIGRATING", _name(taker))
        return giver, taker

    def move_key(self, giver: Redis, taker: Redis, key: str) -> None:
        _done(giver, "MIGRATE", "127.0.0.1", taker.port, key, 0, 5000)

    def end_move(self, giver: Redis, taker: Redis, slot: int) -> None:
        for each in (taker, giver):
            _done(each, "CLUSTER", "SETSLOT", slot, "NODE", _name(taker))

    @staticmethod
    def slot(node: Redis, key: str) -> int:
        return int(node.command("CLUSTER", "KEYSLOT", key).strip(b":\r\n"))


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    with node() as first, node() as second:
        yield Cluster((first, second))


def _name(node: Redis) -> str:
    return node.command("CLUSTER", "MYID").split(b"\r\n")[1].decode()


def _bus_port(node: Redis) -> int:
    words = (node.folder / "redis.conf").read_text().split()
    return int(words[words.index("cluster-port") + 1])


def _done(node: Redis, *words: str | int) -> None:
    answer = node.command(*words)
    assert answer.startswith(b"+OK"), (words, answer)
