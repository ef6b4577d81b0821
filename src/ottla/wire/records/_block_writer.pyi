from collections.abc import Sequence

class BlockWriter:
    @property
    def count(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def base_timestamp(self) -> int: ...
    @property
    def max_timestamp(self) -> int: ...
    def write(
        self,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]] = (),
        /,
    ) -> int: ...
    def parts(self) -> tuple[bytes, int, int, int]: ...
