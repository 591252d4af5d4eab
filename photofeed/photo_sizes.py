"""The sizes a photo is asked for in, in pixels: thumbnail, two for feeds, and the one for zooming."""

PHOTO_PIXELS = (150, 640, 1080, 3840)

# The long edge of the largest, which is made after a photo is published.
ZOOM_PIXELS = PHOTO_PIXELS[-1]
