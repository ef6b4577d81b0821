"""Writes the source of a decoder: straight-line Python for one class in one version.

Neighbours of fixed size are read by one precompiled struct, together with the length (or the first
byte of its varint) that follows them. Nested structures are read in line. Nothing checks each
read: the buffer is cut at the message's end first, so that fixed reads and index accesses raise
by themselves, and slices that came out short are found by the one comparison after the last field.
"""

from __future__ import annotations

import struct

from ottla.wire.primitives import (
    MalformedError,
    malformed,
    packed,
    read_long_string_length,
    read_long_uvarint,
    read_uvarint,
    skip_tags,
)
from ottla.wire.schema import (
    ArrayOf,
    Blob,
    Field,
    FieldType,
    Fixed,
    RecordBytes,
    StructureOf,
    Text,
)
from ottla.wire.source import Shape, Source

_HELPERS = (
    MalformedError,
    malformed,
    read_long_string_length,
    read_long_uvarint,
    read_uvarint,
    skip_tags,
)


def decoder_source(shape: Shape, what: str) -> Source:
    """`decode(buffer, p, end) -> (message, position)`, as source and its globals."""
    source = Source()
    for helper in _HELPERS:
        source.use(helper.__name__, helper)
    source.use("StructError", struct.error)
    source.use("unpack_from", struct.unpack_from)
    with source.block("def decode(buffer, p, end):"):
        source.add(f'"""{what}"""')
        source.add("buffer = buffer[:end]")
        with source.block("try:"):
            built = _Decoder(source).structure(shape)
            with source.block("if p > end:"):
                source.add('raise MalformedError("cut short")')
        with source.block("except (IndexError, StructError, ValueError) as error:"):
            source.add(f'raise malformed("{what}", p, error) from None')
        source.add(f"return {built}, p")
    return source


class _Decoder:
    """Writes reads into a source; `run` is what the next struct will read in one go."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.run: list[tuple[str, str]] = []

    def structure(self, shape: Shape) -> str:
        """Read a structure; the expression that then builds it."""
        arguments: list[tuple[str, str]] = []
        for field in shape.plain:
            target = self.source.name(field.name)
            self.field(shape, field, target)
            arguments.append((field.name, target))
        if shape.tagged:
            arguments += self.tagged_fields(shape)
        elif shape.flexible:
            self.run.append(("B", "tags"))
            self.flush()
            with self.source.block("if tags:"):
                self.source.add("p = skip_tags(buffer, p, tags)")
        self.flush()
        cls = self.source.use(shape.cls.__name__, shape.cls)
        return f"{cls}({', '.join(f'{name}={target}' for name, target in arguments)})"

    def flush(self) -> None:
        """Read what is waiting: one call for all of it."""
        if not self.run:
            return
        formats = "".join(format_ for format_, _ in self.run)
        targets = ", ".join(target for _, target in self.run)
        if formats == "B":
            self.source.add(f"{targets} = buffer[p]")
        else:
            comma = "," if len(self.run) == 1 else ""
            self.source.add(f"{targets}{comma} = {self.source.unpacker(formats)}(buffer, p)")
        self.source.add(f"p += {packed(formats).size}")
        self.run.clear()

    def field(self, shape: Shape, field: Field, target: str) -> None:
        self.value(shape, field.type, target, may_be_null=shape.may_be_null(field))

    def value(self, shape: Shape, type_: FieldType, target: str, *, may_be_null: bool) -> None:
        """Read one value into a local name."""
        if isinstance(type_, Fixed):
            self.run.append((type_.format, target))
        elif isinstance(type_, StructureOf):
            self.nested(shape.of(type_.cls), target, may_be_null=may_be_null)
        else:
            self.sized(shape, type_, target, may_be_null=may_be_null)

    def nested(self, shape: Shape, target: str, *, may_be_null: bool) -> None:
        if not may_be_null:
            self.source.add(f"{target} = {self.structure(shape)}")
            return
        self.run.append(("b", "n"))
        self.flush()
        with self.source.block("if n <= 0:"):  # -1, or 0 in a tagged field
            self.source.add(f"{target} = None")
        with self.source.block("else:"):
            self.source.add(f"{target} = {self.structure(shape)}")

    def sized(
        self,
        shape: Shape,
        type_: Text | Blob | RecordBytes | ArrayOf,
        target: str,
        *,
        may_be_null: bool,
    ) -> None:
        """Read a length, what null is, and then what the length counts."""
        self.run.append((shape.length_format(type_), "n"))
        self.flush()
        if shape.flexible:
            self.long_length(type_)
        null = "n == 0" if shape.flexible else "n == -1" if may_be_null else "n < 0"
        with self.source.block(f"if {null}:"):
            if may_be_null:
                self.source.add(f"{target} = None")
            else:
                self.source.add(f'raise MalformedError("{target} is null")')
        if may_be_null and not shape.flexible:
            with self.source.block("elif n < 0:"):
                self.source.add(f'raise MalformedError("{target} has a negative length")')
        if may_be_null:
            with self.source.block("else:"):
                self.content(shape, type_, target)
        else:
            self.content(shape, type_, target)

    def long_length(self, type_: FieldType) -> None:
        reader = "read_long_string_length" if isinstance(type_, Text) else "read_long_uvarint"
        with self.source.block("if n > 127:"):
            self.source.add(f"n, p = {reader}(buffer, p, n)")

    def content(
        self, shape: Shape, type_: Text | Blob | RecordBytes | ArrayOf, target: str
    ) -> None:
        if isinstance(type_, ArrayOf):
            self.array(shape, type_.element, target)
            return
        length = "n - 1" if shape.flexible else "n"
        piece = f"buffer[p : p + {length}]"
        if isinstance(type_, Text):
            piece = f'str({piece}, "utf-8")'
        elif isinstance(type_, Blob):
            piece = f"bytes({piece})"
        self.source.add(f"{target} = {piece}")
        self.source.add(f"p += {length}")

    def array(self, shape: Shape, element: FieldType, target: str) -> None:
        count = "n - 1" if shape.flexible else "n"
        least = shape.least_size_of(element)
        assert least > 0, f"{target}: elements of no size could be claimed without end"
        claimed = (
            count if least == 1 else f"({count}) * {least}" if shape.flexible else f"n * {least}"
        )
        with self.source.block(f"if {claimed} > end - p:"):
            self.source.add(f'raise MalformedError("{target} claims more than there is")')
        if isinstance(element, Fixed) and len(element.format) == 1:
            self.source.add(
                f'{target} = list(unpack_from(f">{{{count}}}{element.format}", buffer, p))'
            )
            self.source.add(f"p += {claimed}")
            return
        self.source.add(f"{target} = []")
        with self.source.block(f"for _ in range({count}):"):
            self.element(shape, element, target)

    def element(self, shape: Shape, element: FieldType, target: str) -> None:
        if isinstance(element, StructureOf):
            built = self.structure(shape.of(element.cls))
            self.source.add(f"{target}.append({built})")
            return
        item = self.source.name("item")
        self.value(shape, element, item, may_be_null=False)
        self.flush()
        self.source.add(f"{target}.append({item})")

    def tagged_fields(self, shape: Shape) -> list[tuple[str, str]]:
        """Read those that were sent; the rest keep their defaults."""
        self.flush()
        targets = [(field.name, self.source.name(field.name)) for field in shape.tagged]
        for field, (_, target) in zip(shape.tagged, targets, strict=True):
            self.source.add(f"{target} = {field.default!r}")
        self.source.add("tags, p = read_uvarint(buffer, p)")
        tag, stop = self.source.name("tag"), self.source.name("stop")
        with self.source.block("for _ in range(tags):"):
            self.source.add(f"{tag}, p = read_uvarint(buffer, p)")
            self.source.add("n, p = read_uvarint(buffer, p)")
            self.source.add(f"{stop} = p + n")
            branch = "if"
            for field, (_, target) in zip(shape.tagged, targets, strict=True):
                with self.source.block(f"{branch} {tag} == {field.tag}:"):
                    self.field(shape, field, target)
                    self.flush()
                    with self.source.block(f"if p != {stop}:"):
                        self.source.add(
                            f'raise MalformedError("{target} has another size than it says")'
                        )
                branch = "elif"
            with self.source.block("else:"):
                self.source.add(f"p = {stop}")
        return targets
