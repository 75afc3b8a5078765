"""Where work runs: on this machine's GPUs or cores, or on a Ray cluster, as a command asks for. Source: ours."""

from __future__ import annotations

from collections.abc import Sequence

from stit_core.config import WorkersConfig
from stit_core.errors import ConfigError
from stit_core.runtime import cores, spread_devices
from stit_core.workers import ray_cluster
from stit_core.workers.processes import LocalProcesses
from stit_core.workers.tasks import Role, Workers

HERE = "here"
JOB_BYTES = 3 << 29  # of main memory for a process; heads-256 took 1.0 GB with 1 s of 1080p, 1.3 GB with 60 s


def open_workers(on: str, role: Role, config: WorkersConfig, device: str = "auto") -> Workers:
    """Workers for a role.

    Parameters
    ----------
    on: "here", "ray", or "ray://HOST:PORT".
    device: as of `runtime.pick_device`.

    Raises
    ------
    ConfigError: no such place or device, or Ray is not installed. StitError: nobody answers at the address.
    """
    check_place(on)
    if on != HERE:
        ray = ray_cluster.connect(on)
        return ray_cluster.RayActors(ray, role, device, config.jobs, config.threads, config.gpus)
    devices = spread_devices(device)
    jobs, threads = local_share(devices, config)
    return LocalProcesses(role, devices, jobs, threads)


def check_place(on: str) -> None:
    """Refuse what is neither this machine nor Ray. Raises ConfigError."""
    if on not in (HERE, "ray") and not on.startswith(ray_cluster.PREFIX):
        raise ConfigError(f"'{on}' is no place where work can run.", "Write --on here, ray, or ray://HOST:PORT.")


def local_share(devices: Sequence[str], config: WorkersConfig) -> tuple[int, int]:
    """How many processes run on this machine at the same time, and the threads of each.

    One a GPU. On the processor one a core, as far as the memory goes: two processes of one thread finish more clips
    than one of two, because only the networks use a second thread.
    """
    on_processor = all(device == "cpu" for device in devices)
    jobs = config.jobs or (min(cores(), max(1, _free_bytes() // JOB_BYTES)) if on_processor else len(devices))
    return jobs, config.threads or max(1, cores() // jobs)


def _free_bytes() -> int:
    """Main memory that is free for new processes; where the system does not say, enough for one a core."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 1 << 62
