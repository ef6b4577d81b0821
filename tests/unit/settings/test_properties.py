"""Reading `.properties` texts, by the rules of java.util.Properties."""

import pytest

from ottla.base.errors import UserError
from ottla.settings.properties import parse_properties


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a=1\nb = 2 \n", {"a": "1", "b": "2 "}),
        ("a:1\nb 2\nc\n", {"a": "1", "b": "2", "c": ""}),
        ("# a=1\n  ! b=2\n\n   c=3", {"c": "3"}),
        ("a=1\na=2", {"a": "2"}),
        ("listeners=A://:1,\\\n    B://:2\nz=1", {"listeners": "A://:1,B://:2", "z": "1"}),
        ("a=b\\\\\nc=d", {"a": "b\\", "c": "d"}),
        ("a=b\\", {"a": "b"}),
        ("a=# no comment", {"a": "# no comment"}),
        ("a\\=b\\:c\\ d=x=y", {"a=b:c d": "x=y"}),
        ("a=\\u00e4\\t\\n\\q", {"a": "ä\t\nq"}),
        ("a=x\r\nb=y\r\n", {"a": "x", "b": "y"}),
        ("", {}),
    ],
)
def test_reads(text: str, found: dict[str, str]) -> None:
    assert parse_properties(text) == found


def test_a_broken_escape_names_its_line() -> None:
    with pytest.raises(UserError, match="line 2"):
        parse_properties("a=1\nb=\\u12\n")
