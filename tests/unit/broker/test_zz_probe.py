from tests.unit.broker.test_acls import *  # noqa
from tests.unit.broker.test_transactions import Transactional, ID, TIMEOUT_MS
from ottla.wire.records.batch import build_batch
from ottla.wire.records.record import Record
from ottla.wire.messages.produce import ProduceRequest
from ottla.wire.messages.delete_topics import *
import inspect
from tests.unit.broker import test_transactions as tt

def test_txn(guarded, connect):
    guarded.create_topic("orders")
    client, bad = connect(guarded), connect(guarded)
    bad.connection.peer_address = ("192.0.2.8", 50_000)
    p = Transactional(client)
    from ottla.wire.messages.find_coordinator import FindCoordinatorResponse as FR
    client.ask(FindCoordinatorRequest(key_type=1, coordinator_keys=[ID]), FR); client.ask(FindCoordinatorRequest(key_type=1, coordinator_keys=[ID]), FR)
    for _ in range(20):
        e = p.init()
        if e == 0: break
        guarded.loop.advance(100)
    assert e == 0
    print(p.producer)
    def batch(seq, v):
        return build_batch([Record(timestamp=START, key=b"k", value=v)], producer_id=p.producer[0], producer_epoch=p.producer[1], base_sequence=seq, is_transactional=True)
    START = 1000
    r = produce(("orders", 0, batch(0, b"a")))
    r.transactional_id = ID
    a = client.ask(r, ProduceResponse, version=12)
    print(a.responses[0].partition_responses[0].error_code)
    # only 192.0.2.7 may use the transactional id
    print(allow(client, entry(ID, principal=ANONYMOUS, kind=5, host="192.0.2.7")))
    r = produce(("orders", 0, batch(1, b"evil")))
    r.transactional_id = ID
    a = bad.ask(r, ProduceResponse, version=12)
    print("with id", a.responses[0].partition_responses[0].error_code)
    r = produce(("orders", 0, batch(1, b"evil")))
    r.transactional_id = None
    a = bad.ask(r, ProduceResponse, version=12)
    print("without id", a.responses[0].partition_responses[0].error_code, guarded.partition("orders").log.log_end_offset)

def test_md(guarded, connect):
    tid = guarded.create_topic("orders")
    client = connect(guarded)
    allow(client, entry("orders"))
    for v in (10, 11):
        r = MetadataRequest(topics=[MetadataRequestTopic(name="orders", topic_id=tid)])
        try:
            print(client.ask(r, MetadataResponse, version=v).topics)
        except BaseException as e:
            print("ERR", type(e), e)
            client = connect(guarded)

def test_mem(guarded, connect):
    client = connect(guarded)
    client.ask(FindCoordinatorRequest(key_type=0, coordinator_keys=["x"*30000+str(i) for i in range(100)]), __import__("ottla.wire.messages.find_coordinator", fromlist=["x"]).FindCoordinatorResponse)
    a = guarded.broker.authorizer.access_of(client.connection)
    print("kept chars", sum(len(k[2]) for k in a._known))

def test_del(guarded, connect):
    guarded.create_topic("orders")
    client = connect(guarded)
    e = entry("orders", DESCRIBE, principal=ANONYMOUS); 
    deny = AclCreation(resource_type=2, resource_name="orders", resource_pattern_type=3, principal=ANONYMOUS, host="*", operation=8, permission_type=2)
    cl = AclCreation(resource_type=4, resource_name="kafka-cluster", resource_pattern_type=3, principal=ANONYMOUS, host="*", operation=5, permission_type=3)
    al = AclCreation(resource_type=4, resource_name="kafka-cluster", resource_pattern_type=3, principal=ANONYMOUS, host="*", operation=7, permission_type=3)
    print(allow(client, al, cl, entry("orders", 6, principal=ANONYMOUS), deny))
    r = DeleteTopicsRequest(topics=[DeleteTopicState(name="orders", topic_id=bytes(16))], timeout_ms=1000)
    print(client.ask(r, DeleteTopicsResponse).responses)

def test_bypass(guarded, connect):
    client = connect(guarded)
    deny = AclCreation(resource_type=2, resource_name="*", resource_pattern_type=3, principal=ANONYMOUS, host="*", operation=2, permission_type=2)
    al = AclCreation(resource_type=4, resource_name="kafka-cluster", resource_pattern_type=3, principal=ANONYMOUS, host="*", operation=7, permission_type=3)
    print(allow(client, deny, al))
    for tid in (bytes(16), b"x"*16):
        r = MetadataRequest(topics=[MetadataRequestTopic(name="evil", topic_id=tid)], allow_auto_topic_creation=True)
        print(client.ask(r, MetadataResponse, version=12).topics, "evil" in guarded.broker.metadata.image.topics_by_name)
