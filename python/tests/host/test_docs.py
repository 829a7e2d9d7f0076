"""The programs in the page about processes run as they stand."""

from pathlib import Path

from support.pages import examples
from support.programs import run

PROGRAMS = examples("docs/python/processes.md")
REFERENCES_TABLE = (
    "import sqlite3\n"
    "conn = sqlite3.connect(':memory:')\n"
    "conn.execute('CREATE TABLE rate_bucket (name VARCHAR, item_timestamp INTEGER)')\n"
)


def test_each_program_runs(tmp_path: Path) -> None:
    assert len(PROGRAMS) == 4
    for text in PROGRAMS:
        begin = REFERENCES_TABLE if "import sqlite3" not in text and "conn" in text else ""
        here = text.replace("/var/lib/app/", f"{tmp_path}/").replace('"app.sqlite"', f'"{tmp_path}/app.sqlite"')
        end = "\nconn.close()\n" if "conn" in text else ""
        assert run(tmp_path, begin + here + end) == []
