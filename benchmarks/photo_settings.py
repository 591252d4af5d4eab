"""Photo limits and moderation thresholds of the image benchmarks."""

from ingestion.photos.moderation import Thresholds
from ingestion.photos.validate import PhotoLimits
from photofeed.settings import Settings

LIMITS = PhotoLimits(max_bytes=2**27, max_pixels=Settings.model_fields["upload_max_pixels"].default)
THRESHOLDS = Thresholds(review=0.5, reject=0.9)
