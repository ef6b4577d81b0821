"""Writes the source of an encoder: straight-line Python for one class in one version.

`write(message, out, segments)` appends to the bytearray `out`. Records are not copied: `out` so far
and then the records become segments, and a new `out` is begun; the last one is returned.
"""

from __future__ import annotations

import struct

from ottla.wire.primitives import (
    unsupported,
    write_long_string_length,
    write_uvarint,
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


def encoder_source(shape: Shape, what: str) -> Source:
    """`write(message, out, segments) -> out`, as source and its globals."""
    source = Source()
    for helper in (unsupported, write_long_string_length, write_uvarint):
        source.use(helper.__name__, helper)
    source.use("pack", struct.pack)
    with source.block("def write(message, out, segments):"):
        source.add(f'"""{what}"""')
        encoder = _Encoder(source, what)
        encoder.structure(shape, "message")
        encoder.flush()
        source.add("return out")
    return source


NO_STRUCTURE = 255
"""The presence byte of a structure that is null."""
NO_TAGGED_STRUCTURE = 0
"""The same in a tagged field, where Kafka writes a varint."""


class _Encoder:
    """Writes appends into a source; `run` is what the next struct will pack in one go."""

    def __init__(self, source: Source, what: str) -> None:
        self.source = source
        self.what = what
        self.run: list[tuple[str, str]] = []
        self.out = "out"
        self.no_structure = NO_STRUCTURE

    def structure(self, shape: Shape, owner: str) -> None:
        for field in shape.absent:
            if not field.ignorable:
                self.refuse_unless_default(field, owner)
        for field in shape.plain:
            self.field(shape, field, f"{owner}.{field.name}")
        if shape.tagged:
            self.flush()
            self.tagged_fields(shape, owner)
        elif shape.flexible:
            self.run.append(("x", ""))

    def refuse_unless_default(self, field: Field, owner: str) -> None:
        with self.source.block(f"if {self.differs(field, f'{owner}.{field.name}')}:"):
            self.source.add(f'raise unsupported("{self.what}", "{field.name}")')

    def differs(self, field: Field, value: str) -> str:
        """The condition that a value is not the field's default."""
        if field.default is None:
            return f"{value} is not None"
        if field.default in ([], "", b"", 0, False):
            return value
        return f"{value} != {field.default!r}"

    def flush(self) -> None:
        """Pack what is waiting: one call for all of it."""
        if not self.run:
            return
        formats = "".join(format_ for format_, _ in self.run)
        values = ", ".join(value for _, value in self.run if value)
        if formats == "x":
            self.source.add(f"{self.out}.append(0)")
        elif not values:
            self.source.add(f"{self.out} += {bytes(len(formats))!r}")
        else:
            self.source.add(f"{self.out} += {self.source.packer(formats)}({values})")
        self.run.clear()

    def field(self, shape: Shape, field: Field, value: str) -> None:
        may_be_null = shape.may_be_null(field)
        could_be_null = bool(field.nullable)
        if could_be_null and not may_be_null:
            with self.source.block(f"if {value} is None:"):
                self.source.add(f'raise unsupported("{self.what}", "{field.name}: null")')
        self.value(shape, field.type, value, field.name, may_be_null=may_be_null)

    def value(
        self, shape: Shape, type_: FieldType, value: str, name: str, *, may_be_null: bool
    ) -> None:
        if isinstance(type_, Fixed):
            self.run.append((type_.format, value))
        elif isinstance(type_, StructureOf):
            self.nested(shape.of(type_.cls), value, name, may_be_null=may_be_null)
        else:
            self.sized(shape, type_, value, name, may_be_null=may_be_null)

    def nested(self, shape: Shape, value: str, name: str, *, may_be_null: bool) -> None:
        self.flush()
        local = self.source.name(name)
        self.source.add(f"{local} = {value}")
        if not may_be_null:
            self.structure(shape, local)
            self.flush()
            return
        with self.source.block(f"if {local} is None:"):
            self.source.add(f"{self.out}.append({self.no_structure})")
        with self.source.block("else:"):
            self.source.add(f"{self.out}.append(1)")
            self.structure(shape, local)
            self.flush()

    def sized(
        self,
        shape: Shape,
        type_: Text | Blob | RecordBytes | ArrayOf,
        value: str,
        name: str,
        *,
        may_be_null: bool,
    ) -> None:
        """Write a length, or what null is, and then what the length counts."""
        local = self.source.name(name)
        encoded = ".encode()" if isinstance(type_, Text) else ""
        length = f"n = len({local}){' + 1' if shape.flexible else ''}"
        if may_be_null:
            self.source.add(f"{local} = {value}")
            with self.source.block(f"if {local} is None:"):
                self.source.add(f"n = {0 if shape.flexible else -1}")
            with self.source.block("else:"):
                if encoded:
                    self.source.add(f"{local} = {local}{encoded}")
                self.source.add(length)
        else:
            self.source.add(f"{local} = {value}{encoded}")
            self.source.add(length)
        self.length(shape, type_)
        self.content(shape, type_, local, may_be_null=may_be_null)

    def length(self, shape: Shape, type_: Text | Blob | RecordBytes | ArrayOf) -> None:
        """Pack `n` with what is waiting; a varint of several bytes takes the other branch."""
        if not shape.flexible:
            self.run.append((shape.length_format(type_), "n"))
            self.flush()
            return
        waiting = self.run.copy()
        writer = "write_long_string_length" if isinstance(type_, Text) else "write_uvarint"
        with self.source.block("if n < 128:"):
            if waiting:
                self.run.append(("B", "n"))
                self.flush()
            else:
                self.source.add(f"{self.out}.append(n)")
        with self.source.block("else:"):
            self.run = waiting
            self.flush()
            self.source.add(f"{writer}({self.out}, n)")

    def content(
        self,
        shape: Shape,
        type_: Text | Blob | RecordBytes | ArrayOf,
        local: str,
        *,
        may_be_null: bool,
    ) -> None:
        if isinstance(type_, RecordBytes):
            self.records(shape, local)
        elif not may_be_null:
            self.items(shape, type_, local)
        else:
            with self.source.block(f"if {local}:"):
                self.items(shape, type_, local)

    def records(self, shape: Shape, local: str) -> None:
        assert self.out == "out", "records inside a tagged field"
        with self.source.block(f"if n > {1 if shape.flexible else 0}:"):
            self.source.add("segments.append(out)")
            self.source.add(f"segments.append({local})")
            self.source.add("out = bytearray()")

    def items(self, shape: Shape, type_: Text | Blob | ArrayOf, local: str) -> None:
        if not isinstance(type_, ArrayOf):
            self.source.add(f"{self.out} += {local}")
            return
        element = type_.element
        if isinstance(element, Fixed) and len(element.format) == 1:
            self.source.add(f'{self.out} += pack(f">{{len({local})}}{element.format}", *{local})')
            return
        item = self.source.name(local.removesuffix("s") if local.endswith("s") else "item")
        with self.source.block(f"for {item} in {local}:"):
            if isinstance(element, StructureOf):
                self.structure(shape.of(element.cls), item)
            else:
                self.value(shape, element, item, item, may_be_null=False)
            self.flush()

    def tagged_fields(self, shape: Shape, owner: str) -> None:
        """Write those that differ from their defaults."""
        sent = [self.is_sent(field, f"{owner}.{field.name}") for field in shape.tagged]
        with self.source.block(f"if {' or '.join(sent)}:"):
            if len(sent) == 1:
                self.source.add(f"{self.out}.append(1)")
                self.tagged_field(shape, shape.tagged[0], owner)
            else:
                count = " + ".join(f"bool({condition})" for condition in sent)
                self.source.add(f"{self.out}.append({count})")
                for field, condition in zip(shape.tagged, sent, strict=True):
                    with self.source.block(f"if {condition}:"):
                        self.tagged_field(shape, field, owner)
        with self.source.block("else:"):
            self.source.add(f"{self.out}.append(0)")

    def is_sent(self, field: Field, value: str) -> str:
        """The condition that a tagged field goes out."""
        if not isinstance(field.type, StructureOf):
            return self.differs(field, value)
        if field.nullable:
            return "True"  # null is not what goes without saying
        cls = field.type.cls
        try:
            default = cls()
        except TypeError:  # it has no default value, so whatever is there goes out
            return f"{value} is not None"
        name = self.source.use(f"default_{cls.__name__}", default)
        return f"{value} not in (None, {name})"

    def tagged_field(self, shape: Shape, field: Field, owner: str) -> None:
        outer, self.out = self.out, self.source.name("body")
        self.source.add(f"{self.out} = bytearray()")
        self.no_structure = NO_TAGGED_STRUCTURE
        self.field(shape, field, f"{owner}.{field.name}")
        self.no_structure = NO_STRUCTURE
        self.flush()
        body, self.out = self.out, outer
        self.source.add(f"{outer}.append({field.tag})")
        self.source.add(f"write_uvarint({outer}, len({body}))")
        self.source.add(f"{outer} += {body}")
