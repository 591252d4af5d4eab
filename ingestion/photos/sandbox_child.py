"""The child process of `sandbox.py`: confines itself, then processes photos until its parent closes the pipe."""

import math
import resource
import sys
import time
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
from photofeed.allocator import release_free_memory


def main(descriptor: int, memory_bytes: int, cpu_seconds: int, limits: PhotoLimits, outputs: Outputs) -> None:
    """Process every photo that arrives on the pipe with the file descriptor `descriptor`."""
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
            _limit_processor_time(cpu_seconds)
            pipe.send_bytes(answer(data, limits, outputs))
            del data
            release_free_memory()


def answer(data: bytes, limits: PhotoLimits, outputs: Outputs = FEED_OUTPUTS) -> bytes:
    """The message with the result of one photo."""
    clock = StepClock()
    try:
        return encode_photo(process_photo(data, limits, outputs, clock))
    except PhotoRejected as rejection:
        return encode_rejection(rejection, clock.outcomes)
    except MemoryError:
        too_much = PhotoRejected("unprocessable", "This photo needs too much memory to be processed.")
        return encode_rejection(too_much, clock.outcomes)


def _confine(memory_bytes: int) -> None:
    """Limit memory, and forbid writing files and core dumps."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_processor_time(seconds: int) -> None:
    """Let the kernel end this process (SIGXCPU) if it uses `seconds` more, rounded up, than it has used by now."""
    soft = math.ceil(time.process_time() + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


if __name__ == "__main__":
    descriptor, memory_bytes, cpu_seconds, max_bytes, max_pixels = map(int, sys.argv[1:6])
    formats = frozenset(map(PhotoFormat, sys.argv[6].split(",")))
    requested = orjson.loads(sys.argv[7])
    outputs = Outputs(tuple(Size(**size) for size in requested["sizes"]), requested["avif"])
    main(descriptor, memory_bytes, cpu_seconds, PhotoLimits(max_bytes, max_pixels, formats), outputs)
