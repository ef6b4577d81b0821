"""`kafka-reassign-partitions`: moves replicas to other brokers and directories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ottla.base.errors import ErrorCode, UserError
from ottla.base.ids import TopicPartition
from ottla.cli.cluster import ask
from ottla.cli.output import reason
from ottla.cli.scripts import reassignment_throttles
from ottla.cli.scripts.clusters import SERVERS, cluster_of_either
from ottla.cli.scripts.command_line import Kind, Options, ScriptParser, UsageError
from ottla.cli.scripts.reassignment_plan import (
    ANY,
    Target,
    proposed,
    read_brokers,
    read_plan,
    read_topics,
    written,
)

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.log_dirs import Replica, ReplicaPlace

_ACTIONS: Final = ("generate", "execute", "verify", "cancel", "list")
_PLAN: Final = "reassignment-json-file"
_NEEDED: Final = {
    "generate": ("topics-to-move-json-file", "broker-list"),
    "execute": (_PLAN,),
    "verify": (_PLAN,),
    "cancel": (_PLAN,),
    "list": (),
}
_TAKEN: Final = {
    "generate": ("disable-rack-aware",),
    "execute": (
        *("additional", "replica-alter-log-dirs-throttle", "throttle", "timeout"),
        "disallow-replication-factor-change",
    ),
    "verify": ("preserve-throttles",),
    "cancel": ("preserve-throttles", "timeout"),
    "list": (),
}
_UNBOUND: Final = -1


def main(arguments: Sequence[str]) -> int:
    """What cannot be done is told on standard output, as Kafka's tool does."""
    options = _parser().parse(arguments)
    action = _check(options)
    try:
        cluster = cluster_of_either(options)
        ask(cluster, lambda admin: _DO[action](admin, options))
    except UsageError:
        raise
    except UserError as error:
        print(f"Error: {reason(error)}")
        return 1
    return 0


def _parser() -> ScriptParser:
    parser = ScriptParser("Moves replicas to other brokers and directories.")
    for name in SERVERS:
        parser.value(name, argument="server", help="REQUIRED, one of them: any node.")
    parser.value(
        "command-config", argument="property file", help="A file with settings of the client."
    )
    parser.flag("generate", help="Print a plan for topics, and where they are now.")
    parser.flag("execute", help="Begin what a plan says.")
    parser.flag("verify", help="Print how far a plan is; where it is done, take throttles back.")
    parser.flag("cancel", help="Stop what a plan has begun.")
    parser.flag("list", help="Print what moves now.")
    parser.value(
        _PLAN,
        argument="plan file",
        help='A plan: {"version": 1, "partitions": [{"topic": "t", "partition": 0, "replicas": '
        '[1,2], "log_dirs": ["any","/disk"]}]}; log_dirs may be left out.',
    )
    parser.value(
        "topics-to-move-json-file",
        argument="topics file",
        help='With --generate: {"version": 1, "topics": [{"topic": "t"}]}.',
    )
    parser.value("broker-list", argument="brokers", help="With --generate: to these, as 0,1,2.")
    parser.flag("disable-rack-aware", help="With --generate: do not look at racks.")
    _add_limits(parser)
    return parser


def _add_limits(parser: ScriptParser) -> None:
    parser.value(
        "throttle",
        kind=Kind.LONG,
        default=_UNBOUND,
        help="Bytes per second that a broker sends and receives for what moves.",
    )
    parser.value(
        "replica-alter-log-dirs-throttle",
        kind=Kind.LONG,
        default=_UNBOUND,
        help="Bytes per second that a broker copies between its directories.",
    )
    parser.value(
        "timeout", kind=Kind.LONG, default=10_000, help="Milliseconds until moves have begun."
    )
    parser.flag("additional", help="With --execute: although others move already.")
    parser.flag("preserve-throttles", help="Leave throttles as they are.")
    parser.flag(
        "disallow-replication-factor-change", help="With --execute: as many replicas as before."
    )


def _check(options: Options) -> str:
    """The action. Raises UsageError."""
    if sum(map(options.has, _ACTIONS)) != 1:
        names = ", ".join(f"--{action}" for action in _ACTIONS)
        options.refuse(f"Command must include exactly one action: {names}")
    action = next(action for action in _ACTIONS if options.has(action))
    if not any(map(options.has, SERVERS)):
        options.refuse("Please specify --bootstrap-server")
    options.require(*_NEEDED[action])
    known = {name for names in (*_TAKEN.values(), *_NEEDED.values()) for name in names}
    options.forbid_beside(action, *sorted(known.difference(_TAKEN[action], _NEEDED[action])))
    return action


# -- what there is ---------------------------------------------------------------------------------


async def _list(admin: Admin, options: Options) -> None:
    moving = await admin.partitions.list_reassignments()
    print("Current partition reassignments:" if moving else "No partition reassignments found.")
    for partition, each in sorted(moving.items()):
        told = [f"replicas: {_numbers(each.replicas)}."]
        if each.adding:
            told.append(f"adding: {_numbers(each.adding)}.")
        if each.removing:
            told.append(f"removing: {_numbers(each.removing)}.")
        print(f"{partition}: {' '.join(told)}")


def _numbers(values: Sequence[int]) -> str:
    return ",".join(map(str, values))


async def _current(
    admin: Admin, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, tuple[int, ...]]:
    """Their replicas. Raises UserError for one that is not there."""
    described = (await admin.topics.describe(*{each.topic for each in partitions})).all()
    there = {
        TopicPartition(name, each.index): each.replicas
        for name, topic in described.items()
        for each in topic.partitions
    }
    for partition in partitions:
        if partition not in there:
            raise UserError(f"Unable to find partition {partition}")
    return {partition: there[partition] for partition in partitions}


async def _placed(
    admin: Admin, current: Mapping[TopicPartition, tuple[int, ...]]
) -> dict[TopicPartition, Target]:
    """With the directories where they lie; `any` where nobody knows."""
    places = await _find(admin, current)
    paths = {(each.broker_id, each.partition): place.path for each, place in places.items()}
    return {
        partition: Target(
            replicas, tuple(paths.get((broker, partition)) or ANY for broker in replicas)
        )
        for partition, replicas in current.items()
    }


async def _find(
    admin: Admin, brokers: Mapping[TopicPartition, Sequence[int]]
) -> Mapping[Replica, ReplicaPlace]:
    """Of brokers that live."""
    from ottla.client.admin.log_dirs import Replica

    living = {each.node.node_id for each in (await admin.cluster.describe()).nodes}
    wanted = [
        Replica(broker, partition)
        for partition, replicas in brokers.items()
        for broker in replicas
        if broker in living
    ]
    return (await admin.log_dirs.find(*wanted)).done if wanted else {}


# -- plans -----------------------------------------------------------------------------------------


async def _generate(admin: Admin, options: Options) -> None:
    names = read_topics(options.needed_text("topics-to-move-json-file"))
    wanted = read_brokers(options.needed_text("broker-list"))
    described = (await admin.topics.describe(*names)).all()
    current = {
        TopicPartition(name, each.index): each.replicas
        for name, topic in described.items()
        for each in topic.partitions
    }
    nodes = [
        each.node for each in (await admin.cluster.describe()).nodes if each.node.node_id in wanted
    ]
    counts = {partition: len(replicas) for partition, replicas in current.items()}
    plan = proposed(counts, nodes, rack_aware=not options.has("disable-rack-aware"))
    print(f"Current partition replica assignment\n{written(await _placed(admin, current))}\n")
    print(f"Proposed partition reassignment configuration\n{written(plan)}")


async def _execute(admin: Admin, options: Options) -> None:
    plan = read_plan(options.needed_text(_PLAN))
    if not options.has("additional") and await admin.partitions.list_reassignments():
        raise UserError("others move already: --additional begins this plan all the same")
    living = {each.node.node_id for each in (await admin.cluster.describe()).nodes}
    for target in plan.values():
        for broker in target.replicas:
            if broker not in living:
                raise UserError(f"Unknown broker id {broker}")
    current = await _current(admin, list(plan))
    print(f"Current partition replica assignment\n\n{written(await _placed(admin, current))}\n")
    print("Save this to use as the --reassignment-json-file option during rollback")
    await _throttle(admin, options, plan, current)
    replicas = {partition: target.replicas for partition, target in plan.items()}
    kept = options.has("disallow-replication-factor-change")
    outcomes = await admin.partitions.reassign(replicas, allow_replication_factor_change=not kept)
    _refuse("Error reassigning partition(s)", outcomes.errors)
    several = "s" if len(plan) > 1 else ""
    print(f"Successfully started partition reassignment{several} for {','.join(map(str, plan))}")
    await _move(admin, plan)


def _refuse(what: str, errors: Mapping[TopicPartition, UserError]) -> None:
    if errors:
        told = "\n".join(f"{partition}: {reason(error)}" for partition, error in errors.items())
        raise UserError(f"{what}:\n{told}")


async def _throttle(
    admin: Admin,
    options: Options,
    plan: Mapping[TopicPartition, Target],
    current: Mapping[TopicPartition, tuple[int, ...]],
) -> None:
    between = options.needed_integer("throttle")
    within = options.needed_integer("replica-alter-log-dirs-throttle")
    if between < 0 and within < 0:
        return
    print(
        "Warning: You must run --verify periodically, until the reassignment completes, to "
        "ensure the throttle is removed."
    )
    if between >= 0:
        await reassignment_throttles.throttle(admin, plan, current, between)
    if within >= 0:
        brokers = [broker for target in plan.values() for broker in target.named_dirs]
        await reassignment_throttles.throttle_directories(admin, brokers, within)


async def _move(admin: Admin, plan: Mapping[TopicPartition, Target]) -> None:
    """Between directories, where the plan names any. A replica that is yet to come takes its
    directory as a wish."""
    from ottla.client.admin.log_dirs import Replica

    paths = {
        Replica(broker, partition): path
        for partition, target in plan.items()
        for broker, path in target.named_dirs.items()
    }
    if not paths:
        return
    outcomes = await admin.log_dirs.move(paths)
    refused = {}
    for replica, path in paths.items():
        error = outcomes.error(replica)
        if error is None or getattr(error, "code", None) == ErrorCode.REPLICA_NOT_AVAILABLE:
            print(
                f"Successfully started moving log directory to {path} for replica "
                f"{replica.partition} with broker {replica.broker_id} "
            )
        else:
            refused[replica.partition] = error
    _refuse("Failed to move log directories", refused)


# -- how far it is ---------------------------------------------------------------------------------


async def _verify(admin: Admin, options: Options) -> None:
    plan = read_plan(options.needed_text(_PLAN))
    moving = await admin.partitions.list_reassignments()
    described = (await admin.topics.describe(*{each.topic for each in plan})).done
    there = {
        TopicPartition(name, each.index): each.replicas
        for name, topic in described.items()
        for each in topic.partitions
    }
    print("Status of partition reassignment:")
    for partition, target in plan.items():
        if partition in moving:
            print(f"Reassignment of partition {partition} is still in progress.")
        elif there.get(partition) == target.replicas:
            print(f"Reassignment of partition {partition} is completed.")
        else:
            print(
                f"There is no active reassignment of partition {partition}, but replica set is "
                f"{_numbers(there.get(partition, ()))} rather than {_numbers(target.replicas)}."
            )
    busy = await _tell_moves(admin, plan)
    if moving.keys() & plan.keys() or busy or options.has("preserve-throttles"):
        return
    await _clear(admin, plan)


async def _tell_moves(admin: Admin, plan: Mapping[TopicPartition, Target]) -> bool:
    """Between directories; whether any goes on."""
    wanted = {partition: list(target.named_dirs) for partition, target in plan.items()}
    places = await _find(admin, wanted)
    busy = False
    if not places:
        print()
    for replica, place in places.items():
        path = plan[replica.partition].named_dirs[replica.broker_id]
        what = f"replica {replica.partition}-{replica.broker_id}"
        if place.future_path == path:
            busy = True
            print(f"Reassignment of {what} is still in progress.")
        elif place.future_path is not None:
            busy = True
            print(f"{what} moves to {place.future_path} rather than to {path}.")
        elif place.path == path:
            print(f"Reassignment of {what} completed successfully.")
        else:
            print(f"{what} does not move, and lies in {place.path or 'no directory'}, not {path}.")
    return busy


async def _clear(admin: Admin, plan: Mapping[TopicPartition, Target]) -> None:
    brokers = {each.node.node_id for each in (await admin.cluster.describe()).nodes}
    brokers |= {broker for target in plan.values() for broker in target.replicas}
    await reassignment_throttles.clear(admin, brokers, {each.topic for each in plan})


async def _cancel(admin: Admin, options: Options) -> None:
    plan = read_plan(options.needed_text(_PLAN))
    moving = await admin.partitions.list_reassignments()
    stopping = [partition for partition in plan if partition in moving]
    if stopping:
        outcomes = await admin.partitions.reassign(dict.fromkeys(stopping))
        _refuse("Error cancelling partition reassignment(s) for", outcomes.errors)
        several = "s" if len(stopping) > 1 else ""
        told = ",".join(map(str, stopping))
        print(f"Successfully cancelled partition reassignment{several} for: {told}")
    else:
        print("None of the specified partition reassignments are active.")
    await _cancel_moves(admin, plan)
    if not options.has("preserve-throttles"):
        await _clear(admin, plan)


async def _cancel_moves(admin: Admin, plan: Mapping[TopicPartition, Target]) -> None:
    """A move back to where a replica lies ends its copy."""
    wanted = {partition: list(target.named_dirs) for partition, target in plan.items()}
    back = {
        replica: place.path
        for replica, place in (await _find(admin, wanted)).items()
        if place.path is not None and place.future_path is not None
    }
    if not back:
        # Kafka's tool ends no line here.
        print("None of the specified partition moves are active.", end="")
        return
    (await admin.log_dirs.move(back)).all()
    several = "s" if len(back) > 1 else ""
    told = ",".join(f"{each.partition}-{each.broker_id}" for each in back)
    print(f"Successfully cancelled log directory move{several} for: {told}")


_DO: Final = {
    "generate": _generate,
    "execute": _execute,
    "verify": _verify,
    "cancel": _cancel,
    "list": _list,
}
