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

COMPRESSED_STREAMS_MAX = 256
"""Streams that one compressed block is read from. Clients write one; what follows a stream is
copied for each, and a hundred thousand empty ones would hold up everybody else for seconds."""

BLOCKS_KEPT_BYTES_MAX = 32 * MIB
"""Of large blocks of memory that are free and kept for the next ones of their sizes, a process."""

COLUMN_BYTES_MAX = 2**31 - 1
"""Bytes of one column of records: its positions are int32, as in Arrow's plain layout."""

RECORDS_BLOCK_BYTES_MAX = 2**31 - 50
"""The records of one batch: its length is an int32 and counts 49 bytes of the header, too."""

RECORD_TIMESTAMP_MS_MAX = 2**63 - 2
"""The latest time of a record: it is written as the distance from another, which may be -1."""

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

PREFERRED_DIRECTORIES_MAX = 10_000
"""Replicas that are not here yet, of which somebody has said where they shall go; then the first
wishes are forgotten."""

PRODUCERS_PER_PARTITION_MAX = 100_000
"""Idempotent producers that one partition remembers, about 1 KB each: ids are for the taking."""

CONFIG_RESOURCES_DESCRIBED_MAX = 10_000
"""Others than topics in one DescribeConfigs: a group need not be there, and an answer about its
settings is some hundred times as long as its name."""

CONFIG_RESOURCES_DESCRIBED_PER_TURN = 20
"""Resources that DescribeConfigs tells before the loop serves others, some ten milliseconds."""

CLIENT_METRICS_PATTERN_LENGTH_MAX = 512
"""The longest pattern of a subscription to clients' metrics."""

HOUSEKEEPING_PAUSE_MS_MIN = 100
"""Between two rounds of the same work, where a setting would leave no pause at all."""

CLEANER_PAUSE_MS_MIN = 100
"""Until compaction that found nothing looks at every log again, where `log.cleaner.backoff.ms` is
less: a look takes the loop's time."""

REBALANCES_KEPT_PER_GROUP = 32
"""Entries of a group's journal of rebalances; older ones are forgotten."""

REBALANCE_CAUSES_KEPT = 16
"""Causes that one entry of that journal names; it counts the others."""

REBALANCES_TOLD_CHARACTERS_MAX = 30_000
"""Of the journal as one text: a string of the protocol's older versions has 32,767 bytes."""

REBALANCE_REASON_LENGTH_MAX = 255
"""Characters kept of what a client gives as its reason; its own library cuts it there, too."""

REFUSAL_LENGTH_MAX = 1000
"""Characters of a message to a peer: it may repeat names as long as a string can be, and must fit
a string of the protocol itself."""

SETTING_TEXT_LENGTH_SHOWN = 200
"""Characters of a setting's key or value in such a message."""

GROUP_ID_LENGTH_SHOWN = 500
"""Characters of a group's name in such a message."""

MEMBER_ID_PREFIX_LENGTH_MAX = 255
"""Characters of a client's or an instance's id that a member's id begins with."""

NEW_MEMBER_JOIN_MS_MAX = 5 * 60 * 1000
"""How long a new member may wait for its first rebalance: it sends no heartbeats yet, and whether
its client is still there nobody knows."""

ABSENT_MEMBERS_WAIT_MS_MIN = 1000
"""Until a group none of whose static members is here is looked at again: a client may ask for a
rebalance timeout of 0, and the loop has others to serve."""

OFFSETS_COMMITTED_BYTES_MAX = 16 * MIB
"""Names in the records of one commit, which go into one batch: each offset repeats the group's and
the topic's name, so that a request of a megabyte could make gigabytes."""

OFFSETS_EXPIRED_PER_TURN_MAX = 1000
"""Offsets that one look takes back before the loop serves others."""

OFFSETS_LOOKED_AT_PER_TURN_MAX = 20_000
"""Offsets whose age one look reads before the loop serves others, some ten milliseconds."""

TRANSACTIONAL_IDS_FORGOTTEN_AT_ONCE = 1000
"""Expired transactional ids that one batch of tombstones forgets."""

TRANSACTIONS_ABORTED_AT_ONCE = 1000
"""Transactions that timed out whose aborts are decided in one turn of the loop."""

TRANSACTIONAL_ID_PATTERN_LENGTH_MAX = 512
"""The longest regular expression that ListTransactions takes."""

TRANSACTIONAL_ID_PATTERN_REPEATS_MAX = 3
"""Repetitions in it: each may make a comparison as many times longer as the id has characters."""

TRANSACTIONAL_ID_PATTERN_STEPS_MAX = 30_000_000
"""What one ListTransactions may compare at the worst: about half a second."""

TOPIC_PATTERN_LENGTH_MAX = 4096
"""Characters of an expression that a group's member subscribes to."""

TOPIC_PATTERN_DEPTH_MAX = 50
"""Groups of such an expression in each other; each costs some frames of the stack."""

TOPIC_PATTERN_NODES_MAX = 2000
"""Positions of such an expression once its repetitions are written out."""

TOPIC_PATTERN_STEPS_MAX = 1_000_000
"""Positions gone through to find the topics of one expression, a few hundred milliseconds."""

TOPIC_PATTERN_STOPS_MAX = 1000
"""States that one expression's automaton keeps before it begins anew."""

TOPIC_PATTERNS_COMPILED_MAX = 256
"""Expressions kept ready; others are read again when they are needed."""

COORDINATED_KEYS_PLACED_MAX = 4096
"""Names of groups and transactional ids whose partition is remembered: hashing one takes 3 µs."""

CLIENT_ANSWER_BYTES_MAX = 256 * MIB
"""A longer answer is not taken by our client: it is no answer, but some other protocol."""

CLIENT_READ_SCRATCH_BYTES = 64 * KIB
"""What a client's connection reads into; longer answers get memory of their own."""

CLIENT_REQUESTS_IN_FLIGHT_MAX = 512
"""Requests on one connection of a client whose answers are owed: brokers queue no more."""

CLIENT_THROTTLE_MS_MAX = 60_000
"""How long a client lets one answer of a broker keep it from asking."""

CLIENT_CONNECTIONS_MAX = 1024
"""Connections of one client; then the one that was used longest ago and waits for nothing goes."""

CLIENT_COORDINATORS_KEPT_MAX = 10_000
"""Groups and transactional ids of which a client remembers the coordinator."""

ADMIN_NEW_THINGS_KNOWN_MS_MAX = 5_000
"""How long administration takes "unknown" for "not heard of yet": after a change, one node may be a
little behind another."""

PARTITIONER_KEYS_KEPT_MAX = 16_384
"""Keys whose hash a producing client remembers: in Python it costs some microseconds."""

CONSUMER_OPENED_BYTES_MAX = 1 * MIB
"""Plain records that a consumer opens at once, unless a single batch is larger: some milliseconds,
and five times as much memory where records are tiny."""

PROXIED_FRAME_BYTES_MAX = 256 * MIB
"""A longer frame is not passed on to a broker under test: it is no request, nor an answer."""

BLOCKING_HANDED_BYTES_MAX = 4 * MIB
"""Records of one blocking producer that its loop has not taken yet; whoever sends more waits."""

BLOCKING_HANDED_RECORD_BYTES = 256
"""What one of them counts for beside its bytes: the objects that carry it."""

BLOCKING_TURN_RECORDS = 1024
"""Records of one blocking producer that the loop takes before it does other work."""

SLOW_REQUESTS_LOGGED_PER_SECOND_MAX = 20
"""Where everything is slow, more lines of log would only make it slower."""

DENIALS_LOGGED_PER_SECOND_MAX = 20
"""Whoever is refused may ask again thousands of times a second."""

DENIED_NAME_LENGTH_SHOWN = 255
"""Characters of a name in the log that somebody was refused; whoever may do nothing sends what
names it likes."""

PARTITIONS_NAMED_PER_REQUEST_MAX = 100_000
"""Partitions that one request of administration may name: each has an answer in words, much longer
than its number, and is looked at while nobody else is served."""

ACLS_CHANGED_PER_REQUEST_MAX = 10_000
"""ACLs that one request makes or removes, as with Apache Kafka: they go into one batch of the
metadata log."""

ACLS_COMPARED_PER_REQUEST_MAX = 1_000_000
"""Filters of one DeleteAcls by the ACLs there are: about half a second, and each is told of all
that it matches."""

CONFIGS_CHANGED_PER_REQUEST_MAX = 10_000
"""Settings that one request changes, as with Apache Kafka: they go into one batch of the metadata
log."""

SCRAM_CREDENTIALS_CHANGED_PER_REQUEST_MAX = 10_000
"""Passwords that one request sets and removes: they go into one batch of the metadata log, and
each costs two HMACs."""

SCRAM_SALT_BYTES_MAX = 1024
"""The salt of a password, which every broker keeps in its memory; clients take some 25 bytes."""

DELEGATION_TOKENS_MAX = 10_000
"""Tokens of a cluster: each renewal looks at all of them, and each costs an HMAC then."""

ACCESS_ANSWERS_KEPT_MAX = 262_144
"""Answers about access that are remembered for all peers, until an ACL changes."""

ACCESS_NAME_LENGTH_KEPT_MAX = 255
"""Longer names are decided about each time: whoever may do nothing sends what names it likes."""

ACCESS_PEERS_KEPT_MAX = 4_096
"""Peers whose answers are remembered."""

CLI_LINE_BYTES_MAX = 64 * MIB
"""One line that is typed or piped to a command; more is taken for a wrong delimiter."""

CLI_READ_BYTES_MAX = 1 * MIB
"""What a command reads of a file or a pipe at once: so many bytes of records it sends together."""

QUOTAS_CHANGED_PER_REQUEST_MAX = 10_000
"""Quotas that one request sets and removes, as with Apache Kafka: they go into one batch of the
metadata log."""

QUOTA_NAME_LENGTH_MAX = 255
"""Characters by which users and clients are told apart where their use is measured."""

QUOTA_GAUGES_MAX = 16_384
"""Users and clients whose use is remembered, of each kind of quota: client ids are for the taking.
Who was not seen for longest is forgotten first, and begins anew."""

METRICS_SAMPLES_PER_TURN = 100
"""Samples that are made in one turn of the loop, half a millisecond: requests go between."""

METRICS_TOPICS_MAX = 1000
"""Topics with series of their own; what is summed of the others stands under `(other)`."""

METRICS_PARTITIONS_MAX = 2000
"""Partitions with series of their own, those of the first topics: each has a handful."""

METRICS_GROUPS_MAX = 1000
"""Groups with series of their own."""

METRICS_GROUP_ID_LENGTH_MAX = 255
"""Characters of a group's id, for series: a longer one would stand in thousands of lines."""

METRICS_LOOKS_PER_TURN = 20
"""Headers of batches that are read in one turn: each is a small read from the disk."""

METRICS_GROUP_PARTITIONS_MAX = 5000
"""Partitions of groups with series of their own: each has four."""

CONTROL_BATCHES_SKIPPED_MAX = 16
"""Markers of transactions in a row behind which a record is looked for, to tell its time."""

HTTP_CONNECTIONS_MAX = 32
"""Of one HTTP listener: a few scrapers and probes; then the oldest idle one gives way."""

HTTP_HEAD_BYTES_MAX = 16 * KIB
"""The head of an HTTP request."""

HTTP_BODY_BYTES_MAX = 64 * KIB
"""A body that somebody sends with a request that needs none: it is read and dropped."""

HTTP_IDLE_SECONDS_MAX = 75.0
"""Without a request, or without reading its answer; longer than the usual interval of scrapes."""

TELEMETRY_CLIENTS_MAX = 4_096
"""Clients whose pushed metrics are kept; who has been silent for longest is forgotten first."""

TELEMETRY_SERIES_PER_CLIENT_MAX = 1_000
"""Series of one client: those that come first, the others are left out."""

TELEMETRY_SERIES_MAX = 100_000
"""Series of all clients, some 300 bytes each as clients make them."""

TELEMETRY_SERIES_LENGTH_MAX = 2_048
"""Characters of one series, its name and labels together: a small push makes a thousand series."""

TELEMETRY_LABELS_MAX = 32
"""Labels of one series."""

TELEMETRY_TEXT_LENGTH_MAX = 255
"""Characters of a name, label or value in them, and of what a subscription's pattern looks at."""

TELEMETRY_PARTS_MAX = 10_000
"""Resources, scopes, metrics, points and labels of one push that are looked at: a few bytes make
thousands, nobody else is served meanwhile, and these take some tenths of a second at worst."""

TELEMETRY_EXPANSION_MAX = 4
"""How many times longer than allowed to be sent a push may be, once it is decompressed. Opened it
may take thirty times as much again."""
