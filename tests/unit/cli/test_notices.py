"""What clients log is told in a person's words, and what a command tells itself is not."""

from __future__ import annotations

import logging

import pytest

from ottla.cli.notices import tell_what_clients_log


def test_a_warning_is_told_once_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    tell_what_clients_log()
    tell_what_clients_log()
    log = logging.getLogger("ottla.client.consumer.verdicts")
    log.warning("records are gone", extra={"reason": "retention"})
    log.warning("nobody reads")
    log.info("connected")
    assert capsys.readouterr().err == "ottla: records are gone: retention\nottla: nobody reads\n"


def test_records_that_are_given_up_are_left_to_who_sent_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell_what_clients_log()
    logging.getLogger("ottla.client.producer.settlement").warning("records are given up")
    assert capsys.readouterr().err == ""
