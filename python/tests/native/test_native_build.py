"""What the extension is not built for."""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "build.rs"


@pytest.fixture(scope="module")
def build_script(tmp_path_factory):
    """The script that cargo runs before it builds the extension."""
    built = tmp_path_factory.mktemp("build") / "build-script"
    subprocess.run(["rustc", "--edition", "2024", "-o", built, SCRIPT], check=True, timeout=120)
    return built


def said(build_script, interpreter):
    environment = {**os.environ, "PYO3_PYTHON": str(interpreter)}
    return subprocess.run([build_script], env=environment, check=True, capture_output=True, text=True, timeout=60).stdout


def test_a_free_threaded_interpreter_is_refused_with_what_would_do(build_script, tmp_path):
    free_threaded = tmp_path / "python3.14t"
    free_threaded.write_text("#!/bin/sh\necho 1\n")
    free_threaded.chmod(0o755)
    refusal = said(build_script, free_threaded)
    assert "cargo::error=scupper does not support free-threaded Python" in refusal
    assert "3.10 or later" in refusal


def test_this_interpreter_is_not_refused(build_script):
    assert "cargo::error" not in said(build_script, sys.executable)


def test_the_package_brings_its_licences():
    licences = {file.name for file in metadata.files("scupper") if "licenses" in file.parts}
    assert licences == {"LICENSE-APACHE", "LICENSE-MIT"}
