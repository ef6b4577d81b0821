"""Writing Python source, line by line: what the decoder's and the encoder's writer share."""

from __future__ import annotations

import keyword
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ottla.wire.primitives import packed
from ottla.wire.schema import (
    ArrayOf,
    Blob,
    Field,
    FieldType,
    Fixed,
    RecordBytes,
    Structure,
    StructureOf,
    Text,
    fields_of,
)

_RESERVED = frozenset(
    {"buffer", "p", "end", "n", "tags", "out", "segments", "message", "size", "stop", "list", "str"}
)


class Source:
    """Lines of one function, and the globals that they name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.globals: dict[str, Any] = {}
        self._indent = 0
        self._names: set[str] = set()

    def add(self, line: str) -> None:
        self.lines.append("    " * self._indent + line)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Indent what is added inside, below a line that ends in a colon."""
        self.add(head)
        self._indent += 1
        yield
        self._indent -= 1

    def name(self, wish: str) -> str:
        """A local name of its own, as close to the wish as possible."""
        name, count = wish, 1
        while name in self._names or name in _RESERVED or keyword.iskeyword(name):
            count += 1
            name = f"{wish}_{count}"
        self._names.add(name)
        return name

    def use(self, name: str, value: Any) -> str:
        """Make a global known to the function."""
        assert self.globals.setdefault(name, value) == value, name
        return name

    def packer(self, formats: str) -> str:
        return self.use("pack_" + _identifier(formats), packed(formats).pack)

    def unpacker(self, formats: str) -> str:
        return self.use("unpack_" + _identifier(formats), packed(formats).unpack_from)

    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


def _identifier(formats: str) -> str:
    return formats.replace("?", "t").replace("16s", "U")


class Shape:
    """One class in one version: which of its fields are there, and in what form."""

    def __init__(self, cls: type[Structure], version: int, *, flexible: bool) -> None:
        self.cls = cls
        self.version = version
        self.flexible = flexible
        fields = fields_of(cls)
        present = [field for field in fields if version in field.versions]
        self.plain = [field for field in present if field.tag is None]
        self.tagged = [field for field in present if field.tag is not None]
        self.absent = [field for field in fields if version not in field.versions]
        if self.tagged and not flexible:
            raise TypeError(f"{cls.__name__}: tagged fields in version {version}, not flexible")

    def of(self, cls: type[Structure]) -> Shape:
        """A nested structure's shape."""
        return Shape(cls, self.version, flexible=self.flexible)

    def may_be_null(self, field: Field) -> bool:
        return self.version in field.nullable

    def least_size(self) -> int:
        """The fewest bytes that this can take."""
        return sum(self._least_size(field) for field in self.plain) + self.flexible

    def _least_size(self, field: Field) -> int:
        if isinstance(field.type, StructureOf) and self.may_be_null(field):
            return 1
        return self.least_size_of(field.type)

    def least_size_of(self, type_: FieldType) -> int:
        if isinstance(type_, Fixed):
            return type_.size
        if isinstance(type_, StructureOf):
            return self.of(type_.cls).least_size()
        return struct.calcsize(">" + self.length_format(type_))

    def length_format(self, type_: FieldType) -> str:
        """How the length or count before a value of varying size is written.

        A "B" is the first byte of an unsigned varint; the length in it is one too high.
        """
        assert isinstance(type_, Text | Blob | RecordBytes | ArrayOf)
        if self.flexible:
            return "B"
        return "h" if isinstance(type_, Text) else "i"
