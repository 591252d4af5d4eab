"""A span for each stage of a feed. The feed has this only while traces are on."""

from dataclasses import dataclass

from prometheus_client import Histogram

from photofeed.tracing import past_spans

_MILLISECONDS = 1_000


@dataclass(frozen=True, slots=True)
class TracedStage:
    """A stage's histogram that also makes a span of what it observes."""

    name: str
    seconds: Histogram

    def observe(self, seconds: float) -> None:
        """Observe a stage that ends now."""
        self.seconds.observe(seconds)
        past_spans([(self.name, seconds * _MILLISECONDS)])
