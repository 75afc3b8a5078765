"""Workers on a Ray cluster: an actor each, so that networks are loaded once and a GPU stays with its worker.

Ray is not needed to run the program and is imported here only, when it is asked for (requirements-cluster.txt). The
scheduling is ours (see scheduling.py): an actor is given one task at a time, and one that dies is replaced, so that no
queue grows in Ray, and a task goes on at whichever worker is free. Source: ours; Moritz et al. 2018 for Ray.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stit_core.errors import ConfigError, StitError
from stit_core.memory import ONE_ARENA
from stit_core.workers.tasks import Died, Done, Event, Failure, Ready, Role, Step

LOG = logging.getLogger(__name__)
ROOT = str(Path(__file__).resolve().parents[2])
PREFIX = "ray://"
ANSWER = 4.0  # seconds in which somebody must answer at an address, once for the port and once for what is there
TELL = 1.0  # seconds between two questions to a worker on how far it is
LONG = 60.0  # seconds for which workers may wait for room in the cluster until that is said
GPU_THREADS = 4  # of the processor beside a GPU, where its machine has so many
OWN_VARIABLES = "STIT_"  # of the environment: where packs, directions and runs lie
TOKEN_VARIABLES = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
MISSING = "Install it with: python -m pip install -r requirements-cluster.txt"


@dataclass(frozen=True)
class Share:
    """What one worker takes of the cluster: processor cores, and GPUs or a part of one."""

    cpus: int
    gpus: float


@dataclass
class _Actor:
    handle: Any
    job: Any  # the reference to what it is doing; None while it waits
    is_loading: bool = True
    question: Any = None
    asked: float = field(default_factory=time.monotonic)


def connect(on: str) -> Any:
    """Ray, connected to the cluster at "ray://HOST:PORT", or for "ray" to that of RAY_ADDRESS or one of its own.

    Raises
    ------
    ConfigError: Ray is not installed, or the address cannot be one. StitError: nobody answers there.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent elsewhere
    address = os.environ.get("RAY_ADDRESS", "") if on == "ray" else on
    if address not in ("", "local"):
        _check_port(address)
        _use_token()
    try:
        import ray
    except ImportError as error:
        raise ConfigError("Ray is not installed here.", MISSING) from error
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    try:
        if address in ("", "local"):
            os.environ.setdefault("RAY_worker_niceness", "0")  # as processes of this machine; Ray's own choice is 15
            ray.init(address="local", include_dashboard=False, **quiet)
        else:
            if address.startswith(PREFIX):
                _check_client(address)
            ray.init(address=address, **quiet)
    except (StitError, KeyboardInterrupt):
        raise
    except Exception as error:  # Ray raises whatever its parts raise
        told = " ".join(str(error).split())[:300] or type(error).__name__
        hint = "The cluster must run the same versions of Python and Ray as this machine."
        raise StitError(f"No connection to Ray at {address or 'this machine'}: {told}", hint) from error
    return ray


def _use_token() -> None:
    """Have a token that is at hand sent to the cluster; Ray's client does so only where it is asked to."""
    at_hand = any(os.environ.get(name) for name in TOKEN_VARIABLES) or (Path.home() / ".ray" / "auth_token").exists()
    if at_hand:
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _check_port(address: str) -> None:
    """See that something listens there, long before Ray itself would give up."""
    host, colon, port = address.removeprefix(PREFIX).rstrip("/").rpartition(":")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 65536):
        raise ConfigError(f"'{address}' is no address of Ray.", "Write --on ray://HOST:PORT; the usual port is 10001.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    except OSError as error:
        hint = "Check the address, and that `ray start --head` runs there; the usual port is 10001."
        raise StitError(f"Nobody answers at {address}.", hint) from error


def _check_client(address: str) -> None:
    """See that what listens there is Ray's client server; Ray itself would try for most of a minute."""
    try:
        import grpc
        from ray._private.grpc_utils import init_grpc_channel
        from ray.core.generated import ray_client_pb2, ray_client_pb2_grpc
    except ImportError as error:
        raise ConfigError("Ray's client is not installed here.", MISSING) from error
    channel = init_grpc_channel(address.removeprefix(PREFIX).rstrip("/"))  # with the token, where there is one
    try:
        messages: Any = ray_client_pb2  # made by a compiler that says nothing of types
        ping = messages.ClusterInfoRequest(type=messages.ClusterInfoType.PING)
        server = ray_client_pb2_grpc.RayletDriverStub(channel)
        server.ClusterInfo(ping, timeout=ANSWER, metadata=[("client_id", "stit-studio")])
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.UNAUTHENTICATED:
            hint = "Copy ~/.ray/auth_token from there, or set RAY_AUTH_TOKEN to what `ray get-auth-token` prints there."
            raise StitError(f"Ray at {address} asks for its token.", hint) from error
        hint = "Use the port of Ray's client server, usually 10001."
        raise StitError(f"What answers at {address} is not Ray.", hint) from error
    finally:
        channel.close()


def share_of(nodes: Sequence[Mapping[str, Any]], threads: int | None, gpus: float | None) -> Share:
    """What a worker takes: of a cluster with GPUs one of them, else a core, unless it is said.

    `nodes` are as `ray.nodes()` gives them.
    """
    sizes = [_size(node) for node in nodes if node.get("Alive")]
    if gpus is None:
        gpus = 1.0 if any(size[1] for size in sizes) else 0.0
    if threads is None:
        beside = [int(cpus // max(1.0, cards / gpus)) for cpus, cards in sizes if cards] if gpus else []
        threads = max(1, min([GPU_THREADS, *beside])) if gpus else 1
    return Share(threads, gpus)


def slots_of(nodes: Sequence[Mapping[str, Any]], share: Share) -> int:
    """How many workers of this share fit on the machines of a cluster."""
    count = 0
    for node in nodes:
        if node.get("Alive"):
            cpus, cards = _size(node)
            fitting = int(cpus // share.cpus)
            count += min(fitting, int(cards / share.gpus + 1e-9)) if share.gpus else fitting
    return count


def _size(node: Mapping[str, Any]) -> tuple[float, float]:
    """Cores and GPUs of a machine."""
    resources = node.get("Resources") or {}
    return float(resources.get("CPU", 0.0)), float(resources.get("GPU", 0.0))


class RayActors:
    """Actors of a Ray cluster, each a worker.

    Parameters
    ----------
    ray: connected, as by `connect`; disconnected by `close`.
    role: what each does. The program lies at the same place on all machines.
    device: of a worker without a GPU of the cluster's; with one it is that.
    jobs: how many at the same time; as many as the cluster has room for where None.
    threads, gpus: of each; see `share_of`.

    Raises StitError where the cluster has no room for a single one.
    """

    def __init__(
        self, ray: Any, role: Role, device: str, jobs: int | None, threads: int | None, gpus: float | None
    ) -> None:
        self._ray = ray
        nodes = ray.nodes()
        self.share = share_of(nodes, threads, gpus)
        room = slots_of(nodes, self.share)
        if room == 0:
            wanted = f"{self.share.cpus} cores and {self.share.gpus:g} GPUs"
            ray.shutdown()
            raise StitError(
                f"No machine of the cluster has {wanted}, which a job asks for.", "Lower --gpus, --threads."
            )
        self._slots = jobs or room
        own = {name: value for name, value in os.environ.items() if name.startswith(OWN_VARIABLES)}
        self._environment = {"env_vars": own | ONE_ARENA}
        device = "cuda" if self.share.gpus else device
        self._arguments = (ROOT, pickle.dumps((role, device, self.share.cpus)))
        self._actors: dict[int, _Actor] = {}
        self._count = 0
        self._since = time.monotonic()
        self._heard = False

    @property
    def slots(self) -> int:
        return self._slots

    def start(self) -> int:
        options = {"num_cpus": self.share.cpus, "num_gpus": self.share.gpus, "runtime_env": self._environment}
        handle = self._ray.remote(max_concurrency=3, max_restarts=0, **options)(_actor_class()).remote(*self._arguments)
        self._count += 1
        self._actors[self._count] = _Actor(handle, handle.load.remote())
        return self._count

    def give(self, worker: int, work: Any) -> None:
        actor = self._actors[worker]
        actor.job, actor.question, actor.asked = actor.handle.do.remote(work), None, time.monotonic()

    def stop(self, worker: int) -> None:
        self._actors[worker].handle.stop.remote()

    def events(self, seconds: float) -> list[Event]:
        self._ask()
        by_line: dict[Any, int] = {}
        for worker, actor in self._actors.items():
            by_line |= {line: worker for line in (actor.job, actor.question) if line is not None}
        if not by_line:
            return []
        lines = list(by_line)
        if self._ray.wait(lines, num_returns=1, timeout=seconds)[0]:
            ready, _ = self._ray.wait(lines, num_returns=len(lines), timeout=0)
        else:
            ready = []
        self._say_if_waiting(bool(ready))
        found = [self._receive(by_line[line], line) for line in ready if by_line[line] in self._actors]
        return [event for event in found if event is not None]

    def _ask(self) -> None:
        """Ask those that are busy how far they are, now and then."""
        now = time.monotonic()
        for actor in self._actors.values():
            busy = actor.job is not None and not actor.is_loading
            if busy and actor.question is None and now - actor.asked >= TELL:
                actor.question, actor.asked = actor.handle.state.remote(), now

    def _receive(self, worker: int, line: Any) -> Event | None:
        actor = self._actors[worker]
        if line not in (actor.job, actor.question):
            return None  # how far it was with what has ended meanwhile
        try:
            answer = self._ray.get(line)
        except Exception as error:  # the actor, its machine or the line to it is gone
            if line == actor.question:
                actor.question = None
                return None  # what it was doing says so too
            return self._bury(worker, error)
        if line == actor.question:
            actor.question = None
            return Step(worker, *answer)
        actor.job, actor.question = None, None
        if not actor.is_loading:
            assert isinstance(answer, Done)
            return Done(worker, answer.result, answer.failure)
        actor.is_loading = False
        if isinstance(answer, Failure):
            self._drop(worker)
            return Died(worker, answer.message, answer)
        return Ready(worker)

    def _bury(self, worker: int, error: Exception) -> Died:
        self._drop(worker)
        return Died(worker, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")

    def _drop(self, worker: int) -> None:
        actor = self._actors.pop(worker)
        try:
            self._ray.kill(actor.handle)  # where only the line was lost, it must not go on beside its successor
        except Exception as error:
            LOG.debug("A worker could not be ended: %s", error)

    def _say_if_waiting(self, heard: bool) -> None:
        self._heard = self._heard or heard
        if not self._heard and time.monotonic() - self._since > LONG:
            self._heard = True
            LOG.warning("No worker has started for a minute: the cluster may have no free room; waiting for it.")

    def close(self) -> None:
        for worker in list(self._actors):
            self._drop(worker)
        self._ray.shutdown()


def _actor_class() -> type:
    """The actor, made inside a function: it travels as code, and makes the program importable where it arrives."""

    class StitWorker:
        def __init__(self, root: str, role: bytes) -> None:
            self.root, self.role = root, role
            self.worker: Any = None

        def load(self) -> Any:
            """Load what the role needs; gives a Failure where that cannot be."""
            import pickle
            import sys

            if self.root not in sys.path:
                sys.path.insert(0, self.root)
            from stit_core.workers.tasks import begin

            self.worker, failure = begin(*pickle.loads(self.role))
            return failure

        def do(self, work: Any) -> Any:
            return self.worker.do(work)

        def state(self) -> Any:
            return self.worker.state

        def stop(self) -> None:
            self.worker.stop()

    return StitWorker
