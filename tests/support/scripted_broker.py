"""A broker that answers as a test says; `memory_network` carries the bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ottla.base.errors import ErrorCode
from ottla.wire.compiler import codec
from ottla.wire.frames import response_frame
from ottla.wire.headers import decode_request_header
from ottla.wire.messages.api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
)
from ottla.wire.schema import Message, requests
from ottla.wire.versions import VersionRange

Answer = Callable[[Any], Message | None]
"""What to say to a request; None to hang up instead."""


class ScriptedBroker:
    """Answers and versions by request class; `asked` holds every request with its version."""

    def __init__(
        self,
        answers: Mapping[Any, Answer],
        *,
        versions: Mapping[Any, VersionRange] | None = None,
        api_versions: VersionRange = ApiVersionsRequest.VERSIONS,
    ) -> None:
        self._answers = answers
        self._versions = versions or {}
        self._api_versions = api_versions
        self.asked: list[tuple[Message, int]] = []

    def answer(self, frame: memoryview) -> bytes | None:
        """The answer, with its size, to a frame without one; None to end the connection."""
        header, position = decode_request_header(frame, 0, len(frame))
        version = header.api_version
        if header.api_key == ApiVersionsRequest.API_KEY:
            response: Message | None = self._what_we_speak(version)
            version = version if version in self._api_versions else 0
        else:
            kind = requests[header.api_key]
            request, _ = codec(kind, version).decode(frame, position, len(frame))
            self.asked.append((request, version))
            response = self._answers[kind](request)
        if response is None:
            return None
        return b"".join(response_frame(header.api_key, version, header.correlation_id, response))

    def _what_we_speak(self, asked_in: int) -> ApiVersionsResponse:
        known = asked_in in self._api_versions
        spoken = {kind: self._versions.get(kind, kind.VERSIONS) for kind in self._answers}
        spoken[ApiVersionsRequest] = self._api_versions
        return ApiVersionsResponse(
            error_code=ErrorCode.NONE if known else ErrorCode.UNSUPPORTED_VERSION,
            api_keys=[
                ApiVersion(api_key=kind.API_KEY, min_version=speaks.min, max_version=speaks.max)
                for kind, speaks in spoken.items()
            ],
        )
