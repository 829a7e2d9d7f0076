"""Buckets in files that native code keeps."""

from typing import Any

from host.connections import WEEK, item
from support.packages import SCUPPER

WEEKLY = [(2, WEEK)]


def rates(*pairs: tuple[int, int]) -> list[Any]:
    return [SCUPPER.Rate(*pair) for pair in pairs or WEEKLY]


def in_file(path: Any, *pairs: tuple[int, int], **more: Any) -> Any:
    return SCUPPER.SQLiteBucket.init_from_file(rates(*pairs), db_path=path, **more)


def now_at(bucket: Any, weight: int = 1) -> Any:
    return item(weight, bucket.now())
