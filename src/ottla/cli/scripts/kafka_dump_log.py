"""`kafka-dump-log`: what is in the files of a log, read without a broker."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ottla.base.errors import UserError
from ottla.cli.scripts.command_line import Kind, Options, ScriptParser
from ottla.cli.scripts.dump_faults import DumpFaults
from ottla.cli.scripts.index_dump import (
    Wish,
    dump_aborted,
    dump_offset_index,
    dump_producers,
    dump_time_index,
)
from ottla.cli.scripts.message_formatter import deserializer
from ottla.cli.scripts.segment_dump import Show, Shown, dump_segment
from ottla.log.inspection.decoders import decoder_for

_DECODERS: Final = {
    "offsets-decoder": "__consumer_offsets",
    "transaction-log-decoder": "__transaction_state",
    "cluster-metadata-decoder": "__cluster_metadata",
}
"""Options, and the topics whose records they read."""
_NOT_HERE: Final = ("share-group-state-decoder", "remote-log-metadata-decoder")
_STRINGS: Final = "org.apache.kafka.tools.api.StringDecoder"
_DECODER_PACKAGE: Final = "org.apache.kafka.tools.api."
_BYTES_MAX: Final = 2**31 - 1


def main(arguments: Sequence[str]) -> int:
    """0 also for files that are damaged: what is wrong is told behind all of them."""
    options = _parser().parse(arguments)
    options.require("files")
    shown = _shown(options)
    faults = DumpFaults()
    for name in options.needed_text("files").split(","):
        print(f"Dumping {name}")
        for line in _lines(Path(name), options, shown, faults):
            print(line)
    faults.print()
    return 0


def _parser() -> ScriptParser:
    parser = ScriptParser("Prints what is in segments, indexes and snapshots.")
    parser.value("files", argument="file1, file2, ...", help="REQUIRED: paths, with commas.")
    parser.flag("index-sanity-check", help="Only whether an index could be one.")
    parser.flag("verify-index-only", help="Compare indexes with their logs, and print no entry.")
    parser.flag("print-data-log", help="Records with their keys and values.")
    parser.flag("deep-iteration", help="Records, a line each.")
    parser.flag("skip-record-metadata", help="Of records only keys and values.")
    parser.value("max-bytes", kind=Kind.INTEGER, default=_BYTES_MAX, help="Read no further.")
    parser.value("max-message-size", kind=Kind.INTEGER, help="Taken: batches of any size are read.")
    parser.value("key-decoder-class", argument="class", default=_STRINGS, help="As for values.")
    parser.value(
        "value-decoder-class",
        argument="class",
        default=_STRINGS,
        help="StringDecoder, DefaultDecoder, IntegerDecoder or LongDecoder.",
    )
    parser.flag("offsets-decoder", help="Read records as those of __consumer_offsets.")
    parser.flag("transaction-log-decoder", help="Read records as those of __transaction_state.")
    parser.flag("cluster-metadata-decoder", help="Read records as those of the metadata log.")
    parser.flag("share-group-state-decoder", help="Refused: share groups are not known here.")
    parser.flag("remote-log-metadata-decoder", help="Refused: remote logs are not known here.")
    return parser


def _shown(options: Options) -> Shown:
    """Raises UserError for what cannot be read here."""
    for name in _NOT_HERE:
        if options.has(name):
            raise UserError(f"--{name}: such records are not known here")
    topics = [topic for name, topic in _DECODERS.items() if options.has(name)]
    contents = options.has("print-data-log") or bool(topics)
    contents = contents or options.has("key-decoder-class") or options.has("value-decoder-class")
    return Shown(
        records=contents or options.has("deep-iteration"),
        contents=contents,
        metadata=not options.has("skip-record-metadata"),
        key=_decode(options.needed_text("key-decoder-class")),
        value=_decode(options.needed_text("value-decoder-class")),
        decoder=decoder_for(topics[0]) if topics else None,
    )


def _decode(name: str) -> Show:
    simple = name.removeprefix(_DECODER_PACKAGE)
    if simple == "DefaultDecoder":
        return bytes
    return deserializer(simple.replace("Decoder", "Deserializer"))


def _lines(path: Path, options: Options, shown: Shown, faults: DumpFaults) -> Iterator[str]:
    wish = Wish(
        checks_only=options.has("index-sanity-check"),
        prints=not options.has("verify-index-only"),
    )
    match path.suffix:
        case ".log" | ".checkpoint":
            most = options.needed_integer("max-bytes")
            return dump_segment(path, shown, faults, bytes_max=most)
        case ".index":
            return dump_offset_index(path, wish, faults)
        case ".timeindex":
            return dump_time_index(path, wish, faults)
        case ".snapshot":
            return dump_producers(path)
        case ".txnindex":
            return dump_aborted(path)
    print(f"Ignoring unknown file {path}", file=sys.stderr)
    return iter(())
