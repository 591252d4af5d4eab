"""Processor time and memory of processes and of Redis."""

from pathlib import Path
from typing import Any


def peak_megabytes(process: str = "self") -> float:
    """Peak resident memory of a process id or of "self", in MB. Unlike `ru_maxrss` it excludes that of the parent."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def reset_peak() -> None:
    """Make `peak_megabytes` of this process start again at the memory it holds now."""
    Path("/proc/self/clear_refs").write_text("5")


def processor_seconds(process: Any) -> float:
    """User and system time of a psutil process so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def redis_processor_seconds(client: Any) -> float:
    """User and system time of the Redis server so far."""
    used = client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])
