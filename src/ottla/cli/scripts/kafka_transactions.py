"""`kafka-transactions`: lists, describes, finds and ends transactions."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.cli.cluster import ask
from ottla.cli.output import reason
from ottla.cli.scripts.command_line import UsageError
from ottla.cli.scripts.padded import tabbed
from ottla.cli.scripts.subcommands import SubcommandParser, add_config, cluster_in

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin

_NONE: Final = "None"
_TIMEOUT_MINUTES: Final = 15
_OF_LIST: Final = ("TransactionalId", "Coordinator", "ProducerId", "TransactionState")
_OF_DESCRIPTION: Final = (
    *("CoordinatorId", "TransactionalId", "ProducerId", "ProducerEpoch", "TransactionState"),
    *("TransactionTimeoutMs", "CurrentTransactionStartTimeMs", "TransactionDurationMs"),
    "TopicPartitions",
)
_OF_PRODUCERS: Final = (
    *("ProducerId", "ProducerEpoch", "LatestCoordinatorEpoch", "LastSequence", "LastTimestamp"),
    "CurrentTransactionStartOffset",
)
_OF_HANGING: Final = (
    *("Topic", "Partition", "ProducerId", "ProducerEpoch", "CoordinatorEpoch", "StartOffset"),
    *("LastTimestamp", "Duration(min)"),
)


def main(arguments: Sequence[str]) -> int:
    """Raises UserError."""
    options = _parser().read(arguments)
    _check(options)

    async def do(admin: Admin) -> None:
        await _DO[options.action](admin, options)

    ask(cluster_in(options), do)
    return 0


def _parser() -> SubcommandParser:
    parser = SubcommandParser(
        prog="kafka-transactions", description="Looks at transactions, and ends them."
    )
    add_config(parser)
    parser.add_argument("--bootstrap-server", required=True, metavar="SERVER", help="any node")
    parser.set_defaults(bootstrap_controller=None)
    actions = parser.add_subparsers(dest="action", required=True)
    listed = actions.add_parser("list", help="print all that coordinators know")
    listed.add_argument("--duration-filter", type=int, metavar="MS", help="open for longer only")
    listed.add_argument(
        "--transactional-id-pattern", metavar="REGEX", help="only ids that match as a whole"
    )
    described = actions.add_parser("describe", help="print one transaction")
    described.add_argument("--transactional-id", required=True)
    producers = actions.add_parser("describe-producers", help="print who writes to a partition")
    producers.add_argument("--broker-id", type=int, help="as this broker knows it")
    _add_partition(producers)
    _add_abort(actions.add_parser("abort", help="end a transaction of one partition"))
    hanging = actions.add_parser("find-hanging", help="print those that nobody is going to end")
    hanging.add_argument("--broker-id", type=int)
    hanging.add_argument("--max-transaction-timeout", type=int, default=_TIMEOUT_MINUTES)
    hanging.add_argument("--topic")
    hanging.add_argument("--partition", type=int)
    forced = actions.add_parser("forceTerminateTransaction", help="end whatever an id has open")
    forced.add_argument("--transactionalId", dest="transactional_id", required=True)
    return parser


def _add_partition(action: argparse.ArgumentParser) -> None:
    action.add_argument("--topic", required=True)
    action.add_argument("--partition", type=int, required=True)


def _add_abort(action: argparse.ArgumentParser) -> None:
    _add_partition(action)
    action.add_argument("--start-offset", type=int, help="where the transaction begins")
    action.add_argument("--producer-id", type=int)
    action.add_argument("--producer-epoch", type=int)
    action.add_argument("--coordinator-epoch", type=int)


def _check(options: argparse.Namespace) -> None:
    """Raises UsageError."""
    if options.action == "find-hanging":
        if options.topic is None and options.broker_id is None:
            raise UsageError("find-hanging takes --topic or --broker-id, to look at less than all")
        if options.partition is not None and options.topic is None:
            raise UsageError("find-hanging takes --partition with --topic only")
    if options.action == "abort" and options.start_offset is None:
        if options.producer_id is None:
            raise UsageError(
                "abort takes --start-offset, or all of --producer-id, --producer-epoch and "
                "--coordinator-epoch"
            )
        if options.producer_epoch is None or options.coordinator_epoch is None:
            raise UsageError("abort takes --producer-id with --producer-epoch, --coordinator-epoch")


def _print(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    print(*tabbed(headings, rows), sep="\n")


async def _list(admin: Admin, options: argparse.Namespace) -> None:
    told = await admin.transactions.list_by_broker(
        open_longer_than_ms=-1 if options.duration_filter is None else options.duration_filter,
        pattern=options.transactional_id_pattern,
    )
    rows = [
        (each.transactional_id, broker_id, each.producer_id, each.state.value)
        for broker_id, listed in sorted(told.all().items())
        for each in listed
    ]
    _print(_OF_LIST, rows)


async def _describe(admin: Admin, options: argparse.Namespace) -> None:
    from ottla.transport.clock import SystemClock

    name = options.transactional_id
    described = await admin.transactions.describe(name)
    error = described.error(name)
    if error is not None:
        raise UserError(f"transactional id {name!r} cannot be described: {reason(error)}")
    found = described[name]
    start_ms = found.start_time_ms
    row = (
        *(await _coordinator(admin, name), name, found.producer_id, found.producer_epoch),
        *(found.state.value, found.timeout_ms, _NONE if start_ms is None else start_ms),
        _NONE if start_ms is None else SystemClock().now_ms() - start_ms,
        ",".join(str(partition) for partition in sorted(found.partitions)),
    )
    _print(_OF_DESCRIPTION, [row])


async def _coordinator(admin: Admin, transactional_id: str) -> int | str:
    """The id of the broker that lists it."""
    told = await admin.transactions.list_by_broker()
    for broker_id, listed in told.done.items():
        if any(each.transactional_id == transactional_id for each in listed):
            return broker_id
    return _NONE


async def _producers(admin: Admin, options: argparse.Namespace) -> None:
    partition = TopicPartition(options.topic, options.partition)
    told = await admin.producers.describe(partition, broker_id=options.broker_id)
    rows = [
        (
            *(each.producer_id, each.producer_epoch, _or(each.coordinator_epoch, -1)),
            *(each.last_sequence, each.last_timestamp_ms),
            _or(each.transaction_start_offset, _NONE),
        )
        for each in told[partition]
    ]
    _print(_OF_PRODUCERS, rows)


def _or(value: int | None, unknown: int | str) -> int | str:
    return unknown if value is None else value


async def _hanging(admin: Admin, options: argparse.Namespace) -> None:
    from ottla.transport.clock import SystemClock

    partitions = []
    if options.partition is not None:
        partitions = [TopicPartition(options.topic, options.partition)]
    found = await admin.transactions.find_hanging(
        *partitions,
        topic=None if partitions else options.topic,
        broker_id=options.broker_id,
        max_transaction_timeout_ms=options.max_transaction_timeout * 60_000,
    )
    now_ms = SystemClock().now_ms()
    rows = [
        (
            *(each.partition.topic, each.partition.partition),
            *(each.producer.producer_id, each.producer.producer_epoch),
            _or(each.producer.coordinator_epoch, -1),
            _or(each.producer.transaction_start_offset, -1),
            each.producer.last_timestamp_ms,
            (now_ms - each.producer.last_timestamp_ms) // 60_000,
        )
        for each in found
    ]
    _print(_OF_HANGING, rows)


async def _abort(admin: Admin, options: argparse.Namespace) -> None:
    from ottla.client.admin.transaction_descriptions import AbortSpec

    partition = TopicPartition(options.topic, options.partition)
    if options.start_offset is not None:
        await admin.transactions.abort_at(partition, options.start_offset)
        return
    spec = AbortSpec(
        partition=partition,
        producer_id=options.producer_id,
        producer_epoch=options.producer_epoch,
        # Before there is a marker, it is -1; brokers that take this want 0 then.
        coordinator_epoch=max(0, options.coordinator_epoch),
    )
    (await admin.transactions.abort(spec)).all()


async def _terminate(admin: Admin, options: argparse.Namespace) -> None:
    (await admin.transactions.fence(options.transactional_id)).all()


_DO: Final = {
    "list": _list,
    "describe": _describe,
    "describe-producers": _producers,
    "find-hanging": _hanging,
    "abort": _abort,
    "forceTerminateTransaction": _terminate,
}
