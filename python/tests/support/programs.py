"""Programs in an interpreter of their own."""

import subprocess
import sys
import textwrap
import time
from pathlib import Path

BOUND = 120.0
# Python 3.12 and later warn of what these programs are about.
FORKING_IS_MEANT = "ignore:This process:DeprecationWarning"


class Program:
    """A program that runs from a file, so that processes it spawns can import it."""

    def __init__(self, folder: Path, text: str) -> None:
        path = folder / "program.py"
        path.write_text(textwrap.dedent(text))
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-X", "faulthandler", "-W", FORKING_IS_MEANT, str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        """The next line that it prints."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def until_asleep(self) -> None:
        """Return when its main thread sleeps and stays asleep."""
        end = time.monotonic() + BOUND
        while not self._rests():
            assert time.monotonic() < end, "the program never slept"

    def _rests(self) -> bool:
        before = self._status()
        for _ in range(10):
            time.sleep(0.005)
            if self._status() != before:
                return False
        return before[0].startswith("S")

    def _status(self) -> tuple[str, str]:
        process = self._process.pid
        lines = Path(f"/proc/{process}/task/{process}/status").read_text().splitlines()
        fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        return fields["State"], fields["voluntary_ctxt_switches"]

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self) -> str:
        """The rest of what it prints; a failure where it hangs, fails or complains."""
        try:
            out, err = self._process.communicate(timeout=BOUND)
        except subprocess.TimeoutExpired:
            self._process.kill()
            out, err = self._process.communicate()
            raise AssertionError(f"the program hung; it printed\n{out}\n{err}") from None
        code = self._process.returncode
        assert (code, err) == (0, ""), f"exit code {code}; it printed\n{out}\n{err}"
        return out


def run(folder: Path, text: str) -> list[str]:
    """Run a program that must end well and complain of nothing; the lines that it printed."""
    return Program(folder, text).end().splitlines()
