"""Measures the receipts of served items: to seal a page, and to check a batch of events. Needs no servers."""

import time

from photofeed.events import MAX_EVENTS
from photofeed.ids import uuid7
from photofeed.settings import Settings
from serving.receipts import ReceiptSealer

PAGE, TURNS = 30, 2_000


def main() -> None:
    """Print the milliseconds to seal a page of PAGE posts, and to check MAX_EVENTS receipts."""
    sealer, slate, posts = ReceiptSealer(Settings(env="dev")), uuid7(), list(range(10**15, 10**15 + MAX_EVENTS))
    began = time.perf_counter()
    for _ in range(TURNS):
        sealer.seal_page(1, slate, 0, posts[:PAGE])
    sealed = (time.perf_counter() - began) / TURNS * 1e3
    receipts = sealer.seal_page(1, slate, 0, posts)
    began = time.perf_counter()
    for receipt, post in zip(receipts, posts, strict=True):
        sealer.read(receipt, 1, post)
    checked = (time.perf_counter() - began) * 1e3
    print(f"seal {PAGE} receipts: {sealed:.3f} ms; check {MAX_EVENTS}: {checked:.2f} ms")


if __name__ == "__main__":
    main()
