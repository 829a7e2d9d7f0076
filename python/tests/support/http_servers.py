"""HTTP servers on loopback that answer as a test says, and remember what they were asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    """A request as it came in. Times are those of ``time.monotonic()``."""

    method: str
    path: str
    body: bytes
    came: float
    headers: Any


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"


OK = Answer()


def refusal(retry_after: str, status: int = 429) -> Answer:
    return Answer(status, {"Retry-After": retry_after}, b"later")


def redirect(url: str, status: int = 302) -> Answer:
    return Answer(status, {"Location": url}, b"")


class Server:
    """A server while the context lasts: it gives the answers in turn, and then ``OK``; or what ``answer`` gives."""

    def __init__(self, answers: Iterable[Answer] = (), answer: Callable[[Asked], Answer] | None = None) -> None:
        self.seen: list[Asked] = []
        self.answered: list[float] = []
        self._left = list(answers)
        self._answer = answer or (lambda asked: self._left.pop(0) if self._left else OK)
        self._lock = threading.Lock()

    def __enter__(self) -> Server:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def paths(self) -> list[str]:
        return [asked.path for asked in self.seen]

    def take(self, asked: Asked) -> Answer:
        with self._lock:
            self.seen.append(asked)
            answer = self._answer(asked)
            self.answered.append(time.monotonic())
            return answer


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True  # the client went away

        def _serve(self) -> None:
            came = time.monotonic()
            answer = server.take(Asked(self.command, self.path, self._body(), came, self.headers))
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

    return Handler
