"""Values of the Cache-Control header of delivered photos."""

# For variants: an object is named by the hash of its content, so the content behind a name never changes.
IMMUTABLE = "public, max-age=31536000, immutable"
