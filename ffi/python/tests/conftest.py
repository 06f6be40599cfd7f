"""What all tests have: a home directory of their own in memory, and child processes."""

import os
import subprocess
import sys
import tempfile

import pytest

import vug


@pytest.fixture
def home():
    with tempfile.TemporaryDirectory(prefix="vug-test-", dir="/dev/shm") as path:
        yield path


@pytest.fixture
def node(home):
    with vug.open(home) as node:
        yield node


@pytest.fixture
def region(node):
    return node.create("r", max_bytes=4 << 20)


@pytest.fixture
def program(home):
    """Runs a program in another interpreter, with the home in `home`; what it printed."""

    def run(code, *, status=0):
        setting = {**os.environ, "VUG_HOME": home}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=setting, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    return run
