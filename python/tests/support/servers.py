"""Servers of a test's own: Redis and Postgres on free ports of the loopback, in temporary folders.

    from support.servers import Postgres, Redis

    with Redis() as redis:
        ...redis.url

A program that is missing is a failure which says what to install.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

BOUND = 60.0
# Where Debian puts each version of Postgres, off the path.
VERSIONS = Path("/usr/lib/postgresql")
ATTEMPTS = 5
# Below those of outgoing connections, each once, from anywhere on.
_first = random.randrange(10_000)
_ports = itertools.cycle(10_000 + (_first + number) % 10_000 for number in range(10_000))
# Ends a server with the thread that started it, should that be killed.
WITH_US = ["setpriv", "--pdeathsig", "KILL"]


class Server(ABC):
    """A process that serves. Leaving it, however, kills it and removes its folder."""

    def __init__(self) -> None:
        self._keeper = tempfile.TemporaryDirectory(prefix="scupper-test-", ignore_cleanup_errors=True)
        self.folder = Path(self._keeper.name)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """How to reach it."""

    @abstractmethod
    def _prepare(self) -> None:
        """Write what the next start reads, with the port in it."""

    @abstractmethod
    def _command(self) -> list[str]:
        """What to run."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether our own process serves."""

    def _account(self) -> dict[str, Any]:
        return {}

    def __enter__(self) -> Any:
        for _ in range(ATTEMPTS):
            self.port = free_port()
            self._prepare()
            if self._starts():
                return self
        self.__exit__()
        raise AssertionError(f"{type(self).__name__} found no port: {self.log()}")

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._keeper.cleanup()

    @property
    def pid(self) -> int:
        assert self._process is not None, "it does not run"
        return self._process.pid

    def kill(self) -> None:
        """End it and all of its children at once, as a machine that fails would."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait(BOUND)
            self._process = None

    def restart(self) -> None:
        """Start it again on the same port, with the same folder."""
        self.kill()
        assert self._starts(), self.log()

    def stall(self) -> None:
        """Stop it from running: who asks it waits."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End a stall: what was asked meanwhile is answered."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        """To the process and all that it started, itself first."""
        for process in family(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def log(self) -> str:
        """The end of what it wrote."""
        path = self.folder / "log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-15:]) if path.exists() else ""

    def _starts(self) -> bool:
        """Start it, and wait until it answers. False where somebody else has the port."""
        with open(self.folder / "log", "wb") as log:
            self._process = subprocess.Popen(
                [*WITH_US, *self._command()],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._account(),
            )
        end = time.monotonic() + BOUND
        while not self._answers():
            if self._process.poll() is not None and "in use" in self.log():
                return False
            if self._process.poll() is not None or time.monotonic() > end:
                log_tail = self.log()
                self.__exit__()
                raise AssertionError(f"{type(self).__name__} does not answer. The end of its log:\n{log_tail}")
            time.sleep(0.005)
        return True


class Redis(Server):
    """A Redis that keeps nothing on disk. ``lines`` are added to its configuration, as ``maxmemory 2mb``."""

    def __init__(self, *lines: str) -> None:
        super().__init__()
        self._program = program("redis-server", "redis-server", [Path("/usr/bin")])
        self._lines = lines

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def command(self, *words: str | int) -> bytes:
        """The answer to a command on a connection of its own, as Redis wrote it."""
        encoded = [str(word).encode() for word in words]
        text = b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
        with socket.create_connection(("127.0.0.1", self.port), timeout=BOUND) as connection:
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def _prepare(self) -> None:
        lines = ["bind 127.0.0.1", f"port {self.port}", 'save ""', "appendonly no", *self._lines]
        (self.folder / "redis.conf").write_text("\n".join(lines) + "\n")

    def _command(self) -> list[str]:
        return [str(self._program), "redis.conf"]

    def _answers(self) -> bool:
        try:
            return f"process_id:{self.pid}\r\n".encode() in self.command("INFO", "server")
        except OSError:
            return False


class Postgres(Server):
    """A Postgres with a database ``scupper`` of the role ``scupper``, and the superuser ``postgres``.

    Nobody needs a password. ``lines`` are added to ``postgresql.conf``, as ``max_connections = 7``.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__()
        initdb = program("initdb", "postgresql", _postgres_folders()).resolve()
        self._initdb, self._program = initdb, initdb.with_name("postgres")
        self._lines = lines
        self._data = self.folder / "data"

    @property
    def url(self) -> str:
        return self.url_as("scupper")

    def url_as(self, role: str) -> str:
        return f"postgres://{role}@127.0.0.1:{self.port}/scupper"

    def _account(self) -> dict[str, Any]:
        """It refuses to run as root, who runs it as the user that Debian's package makes."""
        if os.geteuid() != 0:
            return {}
        user = pwd.getpwnam("postgres")
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def _prepare(self) -> None:
        if not self._data.exists():
            self._make()
        settings = [
            "listen_addresses = '127.0.0.1'",
            f"port = {self.port}",
            "unix_socket_directories = ''",
            "dynamic_shared_memory_type = mmap",  # what it shares lies with its data
            "dynamic_shared_memory_type = mmap",
            "fsync = off",
        ]
        with open(self._data / "postgresql.conf", "a") as file:
            file.write("\n".join([*settings, *self._lines]) + "\n")

    def _make(self) -> None:
        account = self._account()
        if account:
            os.chown(self.folder, account["user"], account["group"])
        flags = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        _run([str(self._initdb), "-D", str(self._data), *flags], account, "")
        alone = [str(self._program), "--single", "-D", str(self._data), "-c", "fsync=off", "postgres"]
        _run(alone, account, "CREATE ROLE scupper LOGIN;\nCREATE DATABASE scupper OWNER scupper;\n")

    def _command(self) -> list[str]:
        return [str(self._program), "-D", str(self._data)]

    def _answers(self) -> bool:
        """It says itself that it serves, in the file where it notes its number first and its state last."""
        try:
            notes = (self._data / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        return notes[0].strip() == str(self.pid) and any(line.strip() == "ready" for line in notes[-2:])

    def kill(self) -> None:
        super().kill()
        with contextlib.suppress(OSError):
            (self._data / "postmaster.pid").unlink()


def family(process: int) -> list[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(status.parent.name))
    members = [process]
    for member in members:
        members.extend(children.get(member, []))
    return members


def program(name: str, package: str, usual: list[Path]) -> Path:
    """Where a program lies, on the path or where Debian puts it."""
    found = shutil.which(name) or next((str(each / name) for each in usual if (each / name).is_file()), None)
    assert found, f"{name} is missing, and this test needs it. On Debian or Ubuntu: apt-get install {package}"
    return Path(found)


def free_port() -> int:
    """A port of the loopback that nobody has, and that the system gives to no connection while its server is away."""
    while not _is_free(port := next(_ports)):
        pass
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _postgres_folders() -> list[Path]:
    """The folders with the programs of each version, the newest first."""
    versions = [each for each in VERSIONS.glob("*") if each.name.isdigit()]
    return [each / "bin" for each in sorted(versions, key=lambda each: int(each.name), reverse=True)]


def _run(command: list[str], account: dict[str, Any], text: str) -> None:
    done = subprocess.run(command, cwd="/", input=text, capture_output=True, text=True, timeout=BOUND * 2, **account)
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout}\n{done.stderr}"
