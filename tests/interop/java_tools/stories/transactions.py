"""kafka-transactions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.interop.java_tools.story import Step, Story, steps

TRANSACTIONS: Final = "kafka-transactions"

STORIES: Final[Mapping[str, Story]] = {
    "transactions are looked at": steps(
        TRANSACTIONS,
        Step("kafka-topics", "--create --topic transacted"),
        Step(
            "kafka-producer-perf-test",
            "--topic transacted --num-records 20 --record-size 5 --throughput -1 "
            "--transactional-id pipe --transaction-duration-ms 100",
            any_numbers=True,
        ),
        Step(TRANSACTIONS, "list", any_numbers=True),
        Step(TRANSACTIONS, "list --transactional-id-pattern pi.*", any_numbers=True),
        "list --transactional-id-pattern nosuch.*",
        "list --duration-filter 1000000",
        Step(TRANSACTIONS, "describe --transactional-id pipe", any_numbers=True),
        "! describe --transactional-id nosuch",
        Step(TRANSACTIONS, "describe-producers --topic transacted --partition 0", any_numbers=True),
        "! describe-producers --topic transacted",
        "find-hanging --broker-id 1",
        "find-hanging --topic transacted",
        "find-hanging --topic transacted --partition 0 --max-transaction-timeout 1",
        "! find-hanging",
        "! abort --topic transacted --partition 0 --start-offset 0",
        "! abort --topic transacted --partition 0",
        "forceTerminateTransaction --transactionalId nosuch",
        "! bogus",
        "! ",
    ),
}
