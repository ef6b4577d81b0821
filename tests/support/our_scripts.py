"""Our tools by Kafka's names, run inside this process as they are run by themselves."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator

from ottla.cli.scripts.running import names, run
from tests.support.java_tools import ToolCall, ToolRun


def script_names() -> frozenset[str]:
    """Every tool that there is."""
    return frozenset(names())


def run_script(call: ToolCall) -> ToolRun:
    """What our tool says to the same command line."""
    out, err = _stream(), _stream()
    with _input(call.input), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(call.name, call.arguments)
    return ToolRun(_text(out), _text(err), code)


@contextlib.contextmanager
def _input(text: str) -> Iterator[None]:
    given, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8")
    try:
        yield
    finally:
        sys.stdin = given


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()
