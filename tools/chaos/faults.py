"""The faults, by name. Each is injected while the load goes on, and ends by itself or is ended."""

import os
import random
import shutil
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice

import psutil
import psycopg

from photofeed import database
from photofeed.event_log import KafkaReader
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.redis_client import connect_redis
from photofeed.topics import ENGAGEMENT, SUBSCRIPTIONS
from tools.chaos.clocks import Clocks
from tools.chaos.stack import APIS, Stack
from tools.kafka.cluster import BROKERS, KafkaCluster
from tools.listening import free_port

STOPPED_SECONDS, FAILED_OVER_SECONDS, LOST_SECONDS, FULL_SECONDS = 8.0, 8.0, 5.0, 8.0
JUMP_SECONDS, JUMPED_SECONDS = 600, 8.0
_STARTED_SECONDS = 120.0
_DUPLICATES = 200
POISON = b"poison"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault.

    Attributes:
        inject: injects it, and returns when what was broken answers again.
        stops_feeds: whether feeds cannot be served meanwhile, by what is promised: PostgreSQL is away.
    """

    name: str
    inject: Callable[[], None]
    stops_feeds: bool = False


def faults(stack: Stack, chance: random.Random) -> Iterator[Fault]:
    """All faults, in rounds: each round has every fault once, in another order."""
    while True:
        yield from one_round(stack, chance)


def one_round(stack: Stack, chance: random.Random) -> Iterator[Fault]:
    """All faults once, in random order."""
    every = _every(stack, chance)
    chance.shuffle(every)
    return iter(every)


def subset(stack: Stack, chance: random.Random) -> Iterator[Fault]:
    """The six faults of a short run."""
    names = (
        "kill tansu" if stack.kafka is None else "kill broker 0",
        "lose the last writes of valkey",
        "kill api",
        "make postgres read-only",
        "stop features",
        "poison",
    )
    every = {fault.name: fault for fault in _every(stack, chance)}
    return iter([every[name] for name in names])


def _every(stack: Stack, chance: random.Random) -> list[Fault]:
    processes = (*APIS, *stack.workers)
    found = [Fault(f"kill {name}", partial(_kill, stack, name)) for name in processes]
    found += [Fault(f"stop {name}", partial(_stop, stack, name)) for name in processes]
    for name in stack.servers:
        away = name == "postgres"
        found.append(Fault(f"kill {name}", partial(_kill_server, stack, name), away))
        found.append(Fault(f"stop {name}", partial(_stop, stack, name), away))
    found += [Fault(f"kill the child of {name}", partial(_kill_child, stack, name)) for name in APIS]
    found += [
        Fault("kill a connection of postgres", partial(_kill_backend, stack), stops_feeds=True),
        Fault("kill one of each two workers", partial(_kill_workers, stack, 2)),
        Fault("kill all workers", partial(_kill_workers, stack, 1)),
        Fault("make postgres read-only", partial(_read_only, stack)),
        Fault("make valkey a replica", partial(_replica, stack)),
        Fault("fill valkey", partial(_full, stack)),
        Fault("lose the last writes of valkey", partial(_lose_writes, stack)),
        Fault("poison", partial(_poison, stack, chance)),
        Fault("send messages twice", partial(_duplicate, stack, chance)),
    ]
    found += [
        Fault(f"fill the disk of {name}", partial(_fill_disk, stack, name), name == "postgres") for name in stack.disks
    ]
    if stack.clocks is not None:
        for name in processes:
            shift = chance.choice([-JUMP_SECONDS, JUMP_SECONDS])
            found.append(Fault(f"set the clock of {name} {shift:+} s", partial(_jump, stack.clocks, name, shift)))
    return found + (_of_kafka(stack.kafka) if stack.kafka is not None else [])


def _of_kafka(kafka: KafkaCluster) -> list[Fault]:
    brokers = range(BROKERS)
    return [
        *(Fault(f"kill broker {number}", partial(kafka.kill_and_start, number)) for number in brokers),
        *(Fault(f"stop broker {number}", partial(_stop_broker, kafka, number)) for number in brokers),
        Fault("restart each broker", kafka.restart_each),
        Fault("move all partitions of events", partial(kafka.move_partitions, ENGAGEMENT)),
    ]


def _stop_broker(kafka: KafkaCluster, number: int) -> None:
    _suspend([psutil.Process(kafka.processes[number].pid)])
    kafka.wait_until_whole()


def _fill_disk(stack: Stack, name: str) -> None:
    stack.disks[name].fill()
    time.sleep(FULL_SECONDS)
    stack.disks[name].free()
    if name in stack.servers:
        _wait_until(lambda: stack.answers(name))


def _jump(clocks: Clocks, name: str, seconds: float) -> None:
    clocks.set(name, seconds)
    time.sleep(JUMPED_SECONDS)
    clocks.set(name, 0)


def _kill(stack: Stack, name: str) -> None:
    _end(stack.processes(name)[:1])


def _end(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _kill_server(stack: Stack, name: str, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Kill a server, and wait until another process in its place answers.

    Args:
        stack: whose.
        name: of the server.
        meanwhile: is called before it starts again.
    """
    before = stack.record(name)
    _end(stack.processes(name))
    meanwhile()
    _wait_until(lambda: stack.record(name) != before and stack.answers(name))


def _stop(stack: Stack, name: str) -> None:
    _suspend(stack.processes(name))


def _suspend(processes: list[psutil.Process]) -> None:
    """Let processes stand still for a while; they go on also if this tool is ended meanwhile."""
    try:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        time.sleep(STOPPED_SECONDS)
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def _kill_child(stack: Stack, name: str) -> None:
    _end(stack.processes(name)[1:])


def _kill_backend(stack: Stack) -> None:
    with suppress(psycopg.OperationalError), database.connect(stack.settings) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)
    _wait_until(lambda: stack.answers("postgres"))


def _kill_workers(stack: Stack, each: int) -> None:
    for name in list(stack.workers)[::each]:
        _kill(stack, name)


def _read_only(stack: Stack) -> None:
    """As a primary that was demoted: writes are refused, and connections ended."""
    _set_read_only(stack, "on")
    time.sleep(FAILED_OVER_SECONDS)
    _set_read_only(stack, "off")


def _set_read_only(stack: Stack, value: str) -> None:
    others = """
    select pg_terminate_backend(pid) from pg_stat_activity
    where pid <> pg_backend_pid() and datname = current_database()
    """
    with database.connect(stack.settings) as connection:
        connection.execute(f"alter system set default_transaction_read_only = {value}".encode())
        connection.execute("select pg_reload_conf()")
        connection.execute(others)


def _replica(stack: Stack) -> None:
    with connect_redis(stack.settings) as client:
        client.replicaof("127.0.0.1", free_port())
        time.sleep(FAILED_OVER_SECONDS)
        client.replicaof("NO", "ONE")


def _full(stack: Stack) -> None:
    with connect_redis(stack.settings) as client:
        before = {name: client.config_get(name)[name] for name in ("maxmemory", "maxmemory-policy")}
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
        time.sleep(FAILED_OVER_SECONDS)
        for name, value in before.items():
            client.config_set(name, value)


def _lose_writes(stack: Stack) -> None:
    """Put the files of some seconds ago back while Valkey is killed: as a failover to a replica that was behind."""
    data, kept, gone = (
        stack.folder / "valkey" / name for name in ("appendonlydir", "kept", f"gone-{uuid.uuid4().hex}")
    )
    with connect_redis(stack.settings) as client:
        client.waitaof(1, 0, 10_000)
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(data, kept)
    time.sleep(LOST_SECONDS)

    def put_back() -> None:
        data.rename(gone)
        kept.rename(data)

    _kill_server(stack, "valkey", put_back)
    shutil.rmtree(gone)


def _poison(stack: Stack, chance: random.Random) -> None:
    """Messages that nobody can read, in every topic."""
    topics = sorted({topic.name for topics in SUBSCRIPTIONS.values() for topic in topics})
    with closing(KafkaPublisher(stack.settings)) as publisher:
        for topic in topics:
            records = [
                (str(chance.getrandbits(60)), POISON),
                (str(chance.getrandbits(60)), b'{"type": "poison"}' + POISON),
            ]
            publisher.publish_encoded(topic, records)


def _duplicate(stack: Stack, chance: random.Random) -> None:
    """Messages of the log once more, byte for byte, as a producer sends them that did not get the answer."""
    log = KafkaReader(stack.settings)
    messages = [
        (one.key, one.value) for one in islice(log.read(ENGAGEMENT.name), _DUPLICATES) if POISON not in one.value
    ]
    with closing(KafkaPublisher(stack.settings)) as publisher:
        publisher.publish_encoded(ENGAGEMENT.name, chance.sample(messages, len(messages)))


def _wait_until(ready: Callable[[], bool]) -> None:
    until = time.monotonic() + _STARTED_SECONDS
    while not ready():
        if time.monotonic() > until:
            raise TimeoutError("a server that was killed did not come back")
        time.sleep(0.1)
