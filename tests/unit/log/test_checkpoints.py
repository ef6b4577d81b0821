from __future__ import annotations

from collections.abc import Callable

import pytest

from ottla.base.ids import TopicPartition
from ottla.log import checkpoints, names


def test_offsets_come_back() -> None:
    offsets = {TopicPartition("a-b.c_d", 3): 12, TopicPartition("t", 0): 0}
    content = checkpoints.encode_offsets(offsets)
    assert content == b"0\n2\na-b.c_d 3 12\nt 0 0\n"
    assert checkpoints.decode_offsets(content) == offsets
    assert checkpoints.decode_offsets(checkpoints.encode_offsets({})) == {}


@pytest.mark.parametrize(
    "decode",
    [
        checkpoints.decode_offsets,
        checkpoints.decode_epochs,
        checkpoints.decode_partition_metadata,
        checkpoints.decode_meta_properties,
        checkpoints.decode_clean_shutdown,
    ],
)
@pytest.mark.parametrize(
    "content", [b"", b"\n", b"9\n0\n", b"0\n5\na 1 2\n", b"0\n1\na b c d\n", bytes(40), b"\xff\xfe"]
)
def test_nonsense_is_a_value_error(decode: Callable[[bytes], object], content: bytes) -> None:
    with pytest.raises(ValueError):
        decode(content)


def test_a_torn_checkpoint_is_never_read_as_another() -> None:
    content = checkpoints.encode_epochs([(0, 5), (12, 345)])
    for end in range(len(content)):
        with pytest.raises(ValueError):
            checkpoints.decode_epochs(content[:end])


def test_folder_names() -> None:
    for partition in (TopicPartition("orders-eu", 3), TopicPartition("a.b_c", 0)):
        assert names.folder_partition(names.folder_name(partition)) == partition
    for other in ("orders", "orders-", "orders-3.0a1b-delete", "lost+found", "orders-x", ".lock"):
        assert names.folder_partition(other) is None


def test_segment_names() -> None:
    assert names.segment_stem(1234) == "00000000000000001234"
    assert names.segment_base_offset("00000000000000001234.log") == 1234
    for other in ("1234.log", "00000000000000001234.index", "00000000000000001234.log.deleted"):
        assert names.segment_base_offset(other) is None
