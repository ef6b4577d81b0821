from ottla.base.world import Buffer

def survey(
    buffer: Buffer, position: int, next_offset: int, /
) -> tuple[int, int, tuple[bytes, ...]]: ...
