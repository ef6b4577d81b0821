"""A broker for tests: there in a `with` statement, gone without a trace after it.

    with TemporaryBroker() as broker:
        topic = broker.create_topic("orders", partitions=3)
        producer = Producer({"bootstrap.servers": broker.bootstrap})

Any client, any test framework. For pytest there are fixtures: `pytest_plugin`.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, Self

from ottla.base.errors import ErrorCode, ProtocolError, UserError
from ottla.base.ids import ZERO_UUID
from ottla.testing.direct_call import ask
from ottla.testing.fault_proxy import FaultProxy
from ottla.testing.faults import Faults
from ottla.testing.loop_thread import LoopThread
from ottla.wire.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.messages.delete_topics import (
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)

if TYPE_CHECKING:
    from ottla.testing.broker_process import BrokerProcess
    from ottla.testing.broker_thread import BrokerThread

Form = Literal["thread", "process"]
"""`thread`: in this process, there at once. `process`: another one, which `kill` really kills."""
FORMS: Final = ("thread", "process")

SettingValue = str | int | float | bool

FOR_TESTS: Final[Mapping[str, str]] = {
    # A new group waits three seconds for more members, which no test wants.
    "group.initial.rebalance.delay.ms": "0",
    # Fifty partitions each are made for clusters; a test pays for every one.
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
}
"""Settings that differ from a broker's defaults, unless the test says otherwise."""

_TIMEOUT_MS: Final = 30_000
_OURS: Final = frozenset({"listeners", "advertised.listeners", "log.dir", "log.dirs"})


class TemporaryBroker:
    """A broker on a free port of 127.0.0.1, its data in a temporary folder.

    `settings` are a broker's by their Kafka names. With a `folder` the data is kept there, and
    stays. `bootstrap` stays the same over `restart` and `kill`, and so does the data. Between
    clients and the broker stands a proxy, in which `faults` lets requests go wrong.
    """

    def __init__(
        self,
        settings: Mapping[str, SettingValue] | None = None,
        *,
        form: Form = "thread",
        folder: Path | None = None,
    ) -> None:
        if form not in FORMS:
            raise UserError(f"a broker's form is one of {', '.join(FORMS)}, not {form!r}")
        texts = {name: _text(value) for name, value in (settings or {}).items()}
        if taken := _OURS & texts.keys():
            raise UserError(f"{', '.join(sorted(taken))} cannot be set: a TemporaryBroker does it")
        self.form = form
        self.settings = {**FOR_TESTS, **texts}
        self.faults = Faults(cut_all=self._cut_all)
        self._kept_folder = folder
        self._folder: Path | None = None
        self._loop: LoopThread | None = None
        self._proxy = FaultProxy(self.faults)
        self._server: BrokerProcess | BrokerThread | None = None
        self._told = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def bootstrap(self) -> str:
        """What clients take as `bootstrap.servers`; known from the first start on."""
        assert self._proxy.port, "the broker was never started"
        return f"127.0.0.1:{self._proxy.port}"

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.running

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start, and return once clients can connect. Raises UserError where it refuses."""
        assert not self.running
        try:
            server = self._server = self._server or self._prepare()
            server.forget()
            server.start()
        except BaseException:
            self.close()
            raise
        self._proxy.target = server.address

    def stop(self) -> None:
        """Stop in order; who connects now is closed at once."""
        self._proxy.target = None
        if self._server is not None and self._server.running:
            self._server.stop()

    def kill(self) -> None:
        """End it without warning: nothing is flushed, no mark of a clean stop is left.

        The thread form can do no more than let go of everything at once; the process form is
        killed by SIGKILL.
        """
        self._proxy.target = None
        assert self._server is not None
        self._server.kill()

    def restart(self) -> None:
        """Start again on the same data, after an orderly stop where it still runs."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop, and leave nothing behind. `log` still tells."""
        try:
            self.stop()
        finally:
            self._leave()

    def _leave(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.forget()
            self._told = server.log()
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.run(self._proxy.close())
            loop.stop()
        folder, self._folder = self._folder, None
        if folder is not None and folder != self._kept_folder:
            shutil.rmtree(folder)

    def _prepare(self) -> BrokerProcess | BrokerThread:
        """All that stays over restarts: the folder, the loop, the port."""
        self._folder = folder = self._kept_folder or Path(tempfile.mkdtemp(prefix="ottla-"))
        self._loop = loop = LoopThread("ottla-broker")
        loop.run(self._proxy.open())
        settings = {
            **self.settings,
            "listeners": "PLAINTEXT://127.0.0.1:0",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "log.dirs": str(folder / "data"),
        }
        log_file = folder / "broker.log"
        if self.form == "thread":
            from ottla.testing.broker_thread import BrokerThread

            return BrokerThread(settings, loop=loop, log_file=log_file)
        from ottla.testing.broker_process import BrokerProcess, child_command

        remove = None if folder == self._kept_folder else folder
        return BrokerProcess(child_command(settings, remove=remove), errors=log_file)

    def _cut_all(self) -> int:
        assert self._loop is not None, "the broker does not run"
        return self._loop.call(self._proxy.cut_all)

    # -- what tests want -------------------------------------------------------------------------

    def log(self) -> str:
        """What the broker has told since its first start, for people."""
        return self._told if self._server is None else self._server.log()

    def create_topic(
        self,
        name: str | None = None,
        partitions: int = 1,
        *,
        configs: Mapping[str, SettingValue] | None = None,
    ) -> str:
        """Create a topic, under a new name where none is given; its name. No fault is in the way.

        Raises ProtocolError where the broker refuses.
        """
        name = name or f"topic-{secrets.token_hex(4)}"
        topic = CreatableTopic(
            name=name,
            num_partitions=partitions,
            replication_factor=1,
            assignments=[],
            configs=[
                CreatableTopicConfig(name=key, value=_text(value))
                for key, value in (configs or {}).items()
            ],
        )
        request = CreateTopicsRequest(topics=[topic], timeout_ms=_TIMEOUT_MS)
        (done,) = ask(self._address, request, CreateTopicsResponse).topics
        _raise_refusal(done.error_code, done.error_message or name)
        return name

    def delete_topic(self, name: str) -> None:
        """Delete a topic. Raises ProtocolError where the broker refuses."""
        topic = DeleteTopicState(name=name, topic_id=ZERO_UUID)
        request = DeleteTopicsRequest(topics=[topic], timeout_ms=_TIMEOUT_MS)
        (done,) = ask(self._address, request, DeleteTopicsResponse).responses
        _raise_refusal(done.error_code, done.error_message or name)

    @property
    def _address(self) -> tuple[str, int]:
        """The broker's own, past the proxy."""
        assert self._server is not None, "the broker does not run"
        return self._server.address


def _raise_refusal(error_code: int, message: str) -> None:
    if error_code != ErrorCode.NONE:
        raise ProtocolError(ErrorCode(error_code), message)


def _text(value: SettingValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
