"""`ottla broker` whose account of requests can be switched off and on again while it runs.

    python -m benchmarks.switched_broker ottla broker --http ...

SIGUSR1 switches it off: requests are served as by a broker without metrics. SIGUSR2 switches it on.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from ottla.broker.broker import Broker
from ottla.broker.dispatch import Dispatcher
from ottla.broker.routes import Routes
from ottla.broker.served_apis import served_apis
from ottla.cli.main import main
from ottla.node import node


class SwitchedDispatcher(Dispatcher):
    """Counts, or does not."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        assert broker.requests is not None, "start it with --http"
        assert broker.authorizer is None, "guards stand before the handlers of an authorizer"
        counting, without = self._routes, Routes(served_apis(broker.settings), None)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self._switch, without, False)
        loop.add_signal_handler(signal.SIGUSR2, self._switch, counting, True)

    def _switch(self, routes: Routes, is_counted: bool) -> None:
        self._routes, self._is_counted = routes, is_counted


if __name__ == "__main__":
    vars(node)["Dispatcher"] = SwitchedDispatcher
    sys.argv = sys.argv[1:]
    main()
