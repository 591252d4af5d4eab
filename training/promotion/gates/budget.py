from collections.abc import Iterator

from training.promotion.evidence import Evidence, seconds_to_score
from training.promotion.gates import Count, Finding, Gate, Positive

MEBIBYTE = 2**20


class Budget(Gate):
    """The model is small and fast enough to serve."""

    gate = "latency"
    rows: Count
    milliseconds: Positive
    mebibytes: Positive

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """The size, then the latency."""
        files = (evidence.bundle.model_path, evidence.bundle.tables_path)
        size = sum(path.stat().st_size for path in files if path) / MEBIBYTE
        yield Finding("size", size <= self.mebibytes, f"{size:.2f} MiB, at most {self.mebibytes:g}")
        if evidence.scorer is None:
            yield self.missing(evidence, "scorer")
            return
        milliseconds = 1000 * seconds_to_score(evidence.scorer, self.rows)
        detail = f"{milliseconds:.2f} ms for {self.rows} rows, at most {self.milliseconds:g}"
        yield Finding(self.gate, milliseconds <= self.milliseconds, detail)
