"""Whether all is there that a bucket in Postgres needs, once a pool."""

from __future__ import annotations

import weakref
from typing import Any, Optional

from .._scupper import PostgresCall
from ._postgres_session import Ask, Steps

# The number under which the schema is made by one after the other; the same for all who make it, in whatever language.
MAKING = 6008775453624857137

# What the reference calls its table, before the name of the bucket.
_PREFIX = "ratelimit___"

# The schemas that were found good, by the pool.
_ready: weakref.WeakKeyDictionary[Any, set[str]] = weakref.WeakKeyDictionary()


def forget(pool: Any, schema: str) -> None:
    """Has the next bucket look anew."""
    _ready.get(pool, set()).discard(schema)


def made_ready(pool: Any, call: PostgresCall, schema: str, table: Optional[str]) -> Steps[None]:
    """Makes the schema if it is not there, and looks for the reference's table of this bucket, if one is named.

    Raises ``ValueError``, saying what to do, if the role may not do what it takes, if the schema is of another version,
    or if there is such a table.
    """
    known = _ready.setdefault(pool, set())
    if schema in known and table is None:
        return
    has_version, is_standby, role, database, old = (yield Ask(call.state_sql(_PREFIX + (table or "").lower())))[0]
    if old is not None and table is not None:
        raise ValueError(_moving(str(old), table))
    if schema in known:
        return
    if is_standby is not None:
        raise ValueError("the server is a standby that takes no changes; give a pool of connections to its primary")
    if has_version is not None and (yield from _is_complete(call)):
        known.add(schema)
        return
    try:
        yield Ask(call.schema_sql())
    except Exception as error:
        yield Ask("ROLLBACK")
        _explain(error, call.not_made(str(role), str(database)))
        raise
    if not (yield from _is_complete(call)):
        raise ValueError(f"the schema {schema!r} was removed as soon as it was made")
    known.add(schema)


def _is_complete(call: PostgresCall) -> Steps[bool]:
    rights = yield Ask(call.rights_sql())
    complete = call.is_complete([tuple(row) for row in rights])
    call.check_version((yield Ask(call.version_sql()))[0][0])
    return complete


def _explain(error: Exception, what_to_do: str) -> None:
    from psycopg import errors

    if isinstance(error, errors.InsufficientPrivilege):
        raise ValueError(what_to_do) from error
    if isinstance(error, errors.SyntaxError):
        raise ValueError("the server is too old for buckets in Postgres: they need version 14 or newer") from error


def _moving(old: str, table: str) -> str:
    return (
        f"there is a table {old} of pyrate-limiter's, which is not read here, so that what it counted would be forgotten. "
        "Either begin at zero: drop the table, or say ignore_old_table=True; or take its counts along: ask for as many units as "
        f"it has within the longest interval (SELECT count(*) FROM {old} WHERE item_timestamp >= localtimestamp - interval "
        f"'...') on PostgresBucket(pool, {table!r}, rates, ignore_old_table=True) first; or run both side by side "
        "until the longest interval has passed. docs/python/postgres.md tells more"
    )
