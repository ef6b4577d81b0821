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
from typing import TYPE_CHECKING, Final, Literal, Self, TypeVar

from ottla.base.errors import UserError
from ottla.client.connector import Connector, connect_tcp
from ottla.testing.direct_call import ask
from ottla.testing.fault_proxy import FaultProxy
from ottla.testing.faults import Faults
from ottla.testing.kafka_releases import ApiVersions, limits_of
from ottla.testing.loop_thread import LoopThread
from ottla.testing.settings import SettingValue, settings_for_tests
from ottla.testing.topics import created, creation, deleted, deletion
from ottla.wire.messages.create_topics import CreateTopicsResponse
from ottla.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
from ottla.wire.schema import Message

if TYPE_CHECKING:
    from ottla.testing.broker_process import BrokerProcess
    from ottla.testing.broker_thread import BrokerThread
    from ottla.testing.memory_network import MemoryNetwork

R = TypeVar("R", bound=Message)

Form = Literal["thread", "process", "memory"]
"""`thread`: in this process, there at once. `process`: another one, which `kill` really kills.
`memory`: as `thread`, without any socket or file, for Ottla's own clients by its `connector`."""
FORMS: Final = ("thread", "process", "memory")


class TemporaryBroker:
    """A broker on a free port of 127.0.0.1, its data in a temporary folder.

    `settings` are a broker's by their Kafka names. With a `folder` the data is kept there, and
    stays. `api_versions` lets it offer no more than an older broker: "2.1", "2.8", "3.0" or "3.9",
    or first and last versions of single APIs, as {"Fetch": (4, 10)}. `bootstrap` stays the same
    over `restart` and `kill`, and so does the data. Between clients and the broker stands a proxy,
    in which `faults` lets requests go wrong.
    """

    def __init__(
        self,
        settings: Mapping[str, SettingValue] | None = None,
        *,
        form: Form = "thread",
        folder: Path | None = None,
        api_versions: ApiVersions | None = None,
    ) -> None:
        if form not in FORMS:
            raise UserError(f"a broker's form is one of {', '.join(FORMS)}, not {form!r}")
        if form == "memory" and folder is not None:
            raise UserError("a broker in memory keeps nothing in a folder")
        self.form = form
        self.settings = settings_for_tests(settings, api_versions)
        self._limits = limits_of(api_versions) if api_versions else {}
        self.faults = Faults(cut_all=self._cut_all)
        self._kept_folder = folder
        self._folder: Path | None = None
        self._loop: LoopThread | None = None
        self._proxy = FaultProxy(self.faults)
        self._network: MemoryNetwork | None = None
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
        return f"{self._proxy.host}:{self._proxy.port}"

    @property
    def connector(self) -> Connector:
        """What Ottla's own clients connect by; only the form in memory needs it."""
        return connect_tcp if self._network is None else self._network.connect

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
        try:
            self._leave_server()
        finally:
            try:
                self._leave_loop()
            finally:
                self._leave_folder()

    def _leave_server(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            try:
                server.forget()
            finally:
                self._told = server.log()

    def _leave_loop(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            try:
                loop.run(self._proxy.close())
            finally:
                loop.stop()

    def _leave_folder(self) -> None:
        folder, self._folder = self._folder, None
        if folder is not None and folder != self._kept_folder:
            shutil.rmtree(folder)

    def _prepare(self) -> BrokerProcess | BrokerThread:
        """All that stays over restarts: the folder, the loop, the port."""
        self._loop = loop = LoopThread("ottla-broker")
        if self.form == "memory":
            return self._prepare_in_memory(loop)
        self._folder = folder = self._kept_folder or Path(tempfile.mkdtemp(prefix="ottla-"))
        loop.run(self._proxy.open())
        settings = {
            **self.settings,
            "listeners": "PLAINTEXT://127.0.0.1:0",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "log.dirs": str(folder / "data"),
        }
        log_file = folder / "broker.log"
        if self.form == "thread":
            from ottla.testing.broker_thread import BrokerThread, FileLog

            return BrokerThread(settings, loop=loop, log=FileLog(log_file))
        from ottla.testing.broker_process import BrokerProcess, child_command

        remove = None if folder == self._kept_folder else folder
        return BrokerProcess(child_command(settings, remove=remove), errors=log_file)

    def _prepare_in_memory(self, loop: LoopThread) -> BrokerThread:
        from ottla.testing.broker_thread import BrokerThread, TextLog
        from ottla.testing.memory_broker import FRONT, memory_settings
        from ottla.testing.memory_machine import memory_machine
        from ottla.testing.memory_network import MemoryNetwork
        from ottla.testing.memory_proxy import MemoryFaultProxy

        network = self._network = MemoryNetwork(loop.loop)
        self._proxy = MemoryFaultProxy(self.faults, network, FRONT)
        loop.run(self._proxy.open())
        return BrokerThread(
            memory_settings(self.settings),
            loop=loop,
            log=TextLog(),
            machine=memory_machine(network),
        )

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
        created(self._ask(creation(name, partitions, configs or {}), CreateTopicsResponse))
        return name

    def delete_topic(self, name: str) -> None:
        """Delete a topic. Raises ProtocolError where the broker refuses."""
        limit = self._limits.get("DeleteTopics", DeleteTopicsRequest.VERSIONS)
        request = deletion(name, version=limit.max)
        deleted(name, self._ask(request, DeleteTopicsResponse))

    def _ask(self, request: Message, answer: type[R]) -> R:
        """Past the proxy."""
        assert self._server is not None, "the broker does not run"
        limit = self._limits.get(type(request).__name__.removesuffix("Request"))
        at_most = None if limit is None else limit.max
        if self._network is None:
            return ask(self._server.address, request, answer, at_most=at_most)
        from ottla.testing.memory_broker import ask_in_memory

        assert self._loop is not None
        return self._loop.run(ask_in_memory(self._network, request, answer))
