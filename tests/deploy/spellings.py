"""Spellings that browsers send, which every edge must treat alike."""

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
ACCEPTS = (  # what a client sends, and what the origin is to see
    (CHROME, "image/avif,image/webp,image/jpeg"),
    ("IMAGE/WEBP", "image/webp,image/jpeg"),
    ("image/avif;q=0.5, image/png", "image/avif,image/jpeg"),
    ("image/webp;q=0,image/avif;q=0.0", "image/jpeg"),
    ("image/webp; q=0.001", "image/webp,image/jpeg"),
    ("image/webpx,ximage/avif", "image/jpeg"),
    ("*/*", "image/jpeg"),
    ("", "image/jpeg"),
)
WRONG_NAMES = ("0640", "640.", "640.gif", "640?x=1", "640.jpg?", "%36%34%30", "641", "640/", "")
