"""The page of Prometheus metrics."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from warnings import catch_warnings

from prometheus_client.metrics import MetricWrapperBase

import ingestion
import photofeed
import serving
from tools.reference.markdown import code, generated, table

_ABOUT = """The API serves them at `/metrics`, each worker on its management port. Counters have
`_total` in Prometheus, histograms `_bucket`, `_sum` and `_count`."""
_ENTRY_POINTS = ("__main__", "sandbox_child", "env", "versions")  # run at import, or are no module of a process


def page() -> str:
    """Every metric with its labels, and the processes that count it."""
    rows = []
    for process, metric in declared():
        (described,) = metric.describe()
        rows.append((code(described.name), described.type, _labels(metric), described.documentation, process))
    head = generated("Metrics", "the modules that count", _ABOUT)
    return f"{head}\n{table(('metric', 'type', 'labels', 'meaning', 'declared in'), rows)}"


def declared() -> Iterator[tuple[str, MetricWrapperBase]]:
    """The metrics of all services, each with the processes that count it."""
    seen: set[int] = set()
    for package, process in ((photofeed, "all"), (ingestion, "workers"), (serving, "API")):
        for module in _modules(package):
            for value in vars(module).values():
                if isinstance(value, MetricWrapperBase) and id(value) not in seen:
                    seen.add(id(value))
                    yield process, value


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if found.name.rpartition(".")[2] not in _ENTRY_POINTS and ".migrations." not in found.name:
            with catch_warnings(action="ignore"):  # kafka-python uses a deprecated function when it is imported
                module = import_module(found.name)
            yield module


def _labels(metric: MetricWrapperBase) -> str:
    return ", ".join(code(name) for name in metric._labelnames)  # noqa: SLF001  describe() has none
