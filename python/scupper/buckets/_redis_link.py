"""Sending commands through a Redis client of the user's, each of them once."""

from __future__ import annotations

import inspect
import select
from collections.abc import Callable, Coroutine, Generator
from contextlib import nullcontext
from typing import Any, Tuple, TypeVar, Union

T = TypeVar("T")

# A key, and a command about it.
Step = Tuple[Any, Tuple[Any, ...]]
Steps = Generator[Step, Any, T]


class Link:
    """A client of ``redis-py`` or one made like it: for one server, behind Sentinel, or for a cluster.

    Commands go out on the client's own connections, but are never sent again once they may have been carried out, as
    the client itself would do. Answers come as bytes, whatever the client decodes. The client's exceptions pass
    through.
    """

    def __init__(self, client: Any) -> None:
        self._is_cluster = hasattr(client, "get_node_from_key")
        if not self._is_cluster and not hasattr(client, "connection_pool"):
            raise TypeError(f"a client of redis-py is needed, such as redis.Redis(); not {client!r}")
        self.client = client
        self.is_async = inspect.iscoroutinefunction(client.execute_command)

    def carry_out(self, steps: Steps[T]) -> Union[T, Coroutine[Any, Any, T]]:
        """What the generator returns, which is given the answer to each command that it yields, or a coroutine of it."""
        return self._drive_async(steps) if self.is_async else self._drive(steps)

    def _drive(self, steps: Steps[T]) -> T:
        send = self._through_cluster if self._is_cluster else self._through_pool
        try:
            key, command = next(steps)
            while True:
                try:
                    answer = send(key, command)
                except Exception as error:
                    key, command = steps.throw(error)
                else:
                    key, command = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _drive_async(self, steps: Steps[T]) -> T:
        send = self._through_cluster_async if self._is_cluster else self._through_pool_async
        try:
            key, command = next(steps)
            while True:
                try:
                    answer = await send(key, command)
                except Exception as error:
                    key, command = steps.throw(error)
                else:
                    key, command = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def _through_pool(self, key: Any, command: Tuple[Any, ...]) -> Any:
        client = self.client
        own = client.connection  # there is one where the client was told to keep to one
        with _lock_of(client, own, "single_connection_lock", nullcontext):
            connection = own or client.connection_pool.get_connection()
            try:
                if _was_closed(connection):
                    connection.disconnect()  # it is made anew by what is sent
                connection.send_command(*command, keys=[key])
                return connection.read_response(disable_decoding=True)
            except BaseException as error:
                if not _is_an_answer(error):
                    connection.disconnect()  # the answer may come yet, and would be taken for another's
                raise
            finally:
                if not own:
                    client.connection_pool.release(connection)

    async def _through_pool_async(self, key: Any, command: Tuple[Any, ...]) -> Any:
        client = self.client
        await client.initialize()
        own = client.connection
        async with _lock_of(client, own, "_single_conn_lock", _AsyncNull):
            connection = own or await client.connection_pool.get_connection()
            try:
                if _was_closed(connection):
                    await connection.disconnect(nowait=True)
                await connection.send_command(*command, keys=[key])
                return await connection.read_response(disable_decoding=True)
            except BaseException as error:
                if not _is_an_answer(error):
                    await connection.disconnect(nowait=True)
                raise
            finally:
                if not own:
                    await client.connection_pool.release(connection)

    def _through_cluster(self, key: Any, command: Tuple[Any, ...]) -> Any:
        # With the node named, a cluster's client follows the slot where it moved to, but sends nothing again.
        node = self.client.get_node_from_key(key)
        return self.client.execute_command(*command, target_nodes=node, NEVER_DECODE=True)

    async def _through_cluster_async(self, key: Any, command: Tuple[Any, ...]) -> Any:
        await self.client.initialize()
        node = self.client.get_node_from_key(key)
        return await self.client.execute_command(*command, target_nodes=node, NEVER_DECODE=True)


class _AsyncNull:
    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        return None


def _lock_of(client: Any, own: Any, name: str, none: Callable[[], Any]) -> Any:
    """What keeps callers apart on a client's only connection."""
    return getattr(client, name, None) or none() if own else none()


def _was_closed(connection: Any) -> bool:
    """Whether the server has closed a connection that lay idle: found out later, it would look like a lost answer."""
    socket = getattr(connection, "_sock", None)
    writer = getattr(connection, "_writer", None)
    if writer is not None:
        socket = writer.get_extra_info("socket")
    number = -1 if socket is None else socket.fileno()
    if number < 0 or not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(number, getattr(select, "POLLRDHUP", 0))
    return bool(poll.poll(0))


def _is_an_answer(error: BaseException) -> bool:
    """Whether the server itself said no, so that nothing is under way on the connection any more."""
    return _is_of_kind(error, "ResponseError")


def is_without_script(error: BaseException) -> bool:
    """Whether the server does not have the script, and so has done nothing."""
    return _is_of_kind(error, "NoScriptError")


def _is_of_kind(error: BaseException, name: str) -> bool:
    # By name: nothing here needs the package that the client is from.
    return any(cls.__name__ == name for cls in type(error).__mro__)
