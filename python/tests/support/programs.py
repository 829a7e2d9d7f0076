"""Programs in an interpreter of their own."""

import subprocess
import sys
import textwrap

BOUND = 40.0


def start(program: str) -> subprocess.Popen[str]:
    """Start a program that prints as it goes."""
    return subprocess.Popen(
        [sys.executable, "-u", "-X", "faulthandler", "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end of a program: its exit code and the rest of what it printed."""
    try:
        out, err = process.communicate(timeout=BOUND)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"the program hung; it printed\n{out}\n{err}") from None
    return process.returncode, out, err


def run(program: str) -> str:
    """Run a program that must end well and be silent on stderr; what it printed."""
    code, out, err = finish(start(program))
    assert (code, err) == (0, ""), f"exit code {code}; it printed\n{out}\n{err}"
    return out
