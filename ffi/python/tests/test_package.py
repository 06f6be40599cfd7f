"""Types, names, examples."""

import pathlib
import subprocess
import sys

import pytest

import vug

ROOT = pathlib.Path(__file__).parents[3]
EXAMPLES = ROOT / "ffi/examples/python"


def test_the_stubs_name_everything():
    import ast

    stub = pathlib.Path(vug.__file__).with_name("__init__.pyi")
    tree = ast.parse(stub.read_text())
    declared = {node.name: node for node in tree.body if hasattr(node, "name")}
    for name in vug.__all__:
        value = getattr(vug, name)
        if not isinstance(value, (int, str)):
            assert name in declared, name
    for name in ("Region", "Node", "View", "Subscription", "Listener", "Event", "Entry", "Token"):
        methods = {node.name for node in declared[name].body if hasattr(node, "name")}
        real = {method for method in vars(getattr(vug, name)) if not method.startswith("_")}
        assert {method for method in methods if not method.startswith("_")} == real, name


def test_mypy_accepts_the_examples():
    pytest.importorskip("mypy")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *map(str, sorted(EXAMPLES.glob("[!c]*.py")))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def promised(name):
    """The indented lines behind `prints` in the head of an example."""
    text = (EXAMPLES / name).read_text().split('"""')[1]
    lines = text[text.rindex("prints") :].splitlines()[1:]
    return [line.strip() for line in lines if line.startswith("    ")]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("quote_board.py", ["HOME", "--demo"]),
        ("work_counter.py", []),
        ("event_watcher.py", ["--demo"]),
    ],
)
def test_examples_print_what_they_promise(home, name, arguments):
    arguments = [home if argument == "HOME" else argument for argument in arguments]
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [line.strip() for line in done.stdout.splitlines()] == promised(name)
