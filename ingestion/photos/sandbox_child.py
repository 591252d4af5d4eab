"""The process behind `sandbox.py`: confines itself, then answers photos until its parent is gone."""

import resource
import sys
import warnings
from multiprocessing.connection import Connection

import orjson
from PIL import Image

from ingestion.photos.formats import PhotoFormat
from ingestion.photos.process import process_photo
from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.sizes import FEED_OUTPUTS, Outputs, Size
from ingestion.photos.steps import StepClock
from ingestion.photos.validate import PhotoLimits
from ingestion.photos.wire import encode_photo, encode_rejection
from photofeed.allocator import return_free_memory_now


def main(descriptor: int, memory_bytes: int, limits: PhotoLimits, outputs: Outputs) -> None:
    """Answer every photo that comes in on the pipe with the file descriptor `descriptor`."""
    _confine(memory_bytes)
    Image.MAX_IMAGE_PIXELS = limits.most_pixels
    warnings.simplefilter("ignore")
    with Connection(descriptor) as pipe:
        pipe.send_bytes(b"ready")
        while True:
            try:
                data = pipe.recv_bytes()
            except EOFError:
                return
            pipe.send_bytes(answer(data, limits, outputs))
            del data
            return_free_memory_now()


def answer(data: bytes, limits: PhotoLimits, outputs: Outputs = FEED_OUTPUTS) -> bytes:
    """The message for one photo."""
    clock = StepClock()
    try:
        return encode_photo(process_photo(data, limits, outputs, clock))
    except PhotoRejected as rejection:
        return encode_rejection(rejection, clock.outcomes)
    except MemoryError:
        too_much = PhotoRejected("unprocessable", "This photo needs too much memory to be processed.")
        return encode_rejection(too_much, clock.outcomes)


def _confine(memory_bytes: int) -> None:
    """Limit memory, forbid writing files and core dumps."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    descriptor, memory_bytes, max_bytes, max_pixels = map(int, sys.argv[1:5])
    formats = frozenset(map(PhotoFormat, sys.argv[5].split(",")))
    asked = orjson.loads(sys.argv[6])
    outputs = Outputs(tuple(Size(**size) for size in asked["sizes"]), asked["avif"])
    main(descriptor, memory_bytes, PhotoLimits(max_bytes, max_pixels, formats), outputs)
