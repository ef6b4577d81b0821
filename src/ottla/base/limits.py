"""Every bound of the platform that is not a setting: one place, each with its reason."""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB

READ_SCRATCH_BYTES = 256 * KIB
"""The read buffer that all connections of a loop share; larger frames take one of their own."""

READ_BUDGET_BYTES = 128 * MIB
"""All partly received frames together; at least one frame of `socket.request.max.bytes`."""

READ_BUDGET_SHARE_OF_STRANGERS = 0.75
"""The part for peers that have not yet sent a frame of that size whole: stalling peers among them
leave the rest to the others."""

RESPONSES_QUEUED_PER_CONNECTION_MAX = 512
"""Pipelined requests that wait for their answer on one connection; then its socket is not read."""

OUTBOX_BYTES_PER_CONNECTION_MAX = 4 * MIB
"""Answers that a client does not take; above it the connection's next requests are not read."""

SEND_CHUNK_BYTES = 256 * KIB
"""One `sendfile` or write of a large answer, so that one reader never holds the loop for long."""

PREAD_BYTES_MAX = 128 * KIB
"""Up to this a file region is read and sent with its header; above it `sendfile` is cheaper."""

DECOMPRESSED_BYTES_MAX = 128 * MIB
"""What the records of one batch may decompress to, against batches made to fill the memory."""

OPEN_FILES_MAX = 4096
"""Files that logs hold open where nobody says otherwise; a node derives it from its process."""

HOT_INDEX_BATCHES_MAX = 8192
"""Batches at the tail of a partition whose exact place is in memory (24 bytes each)."""

STRING_BYTES_MAX = 32767
"""The longest string of the protocol: its length is an int16."""

METADATA_ANSWERS_BYTES_MAX = 16 * MIB
"""Encoded Metadata answers that are kept for the current image."""

TOPIC_NAME_LENGTH_MAX = 249
"""Longer names do not fit a folder name together with the partition number and a suffix."""

SMALL_FRAME_BYTES = 32 * KIB
"""A frame up to this that arrives in pieces is kept as a remainder, outside the read budget."""

READ_STALL_GRACE_MS = 250
"""How long a peer may send nothing inside a frame while others wait for its memory."""

READ_BUFFERS_POOLED_PER_SIZE_MAX = 8
"""Buffers kept for reuse per power of two: fresh ones cost a page fault every 4 KiB."""

SEND_TURN_BYTES = 1 * MIB
"""What one connection may send before the loop serves the others."""

WRITEV_BUFFERS_MAX = 512
"""Buffers of one vectored write; the kernel takes 1024."""

PRODUCERS_PER_PARTITION_MAX = 100_000
"""Idempotent producers that one partition remembers, about 1 KB each: ids are for the taking."""
