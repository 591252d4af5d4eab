"""Defaults of settings: what an installation that does not set them runs with, before and after an upgrade."""

from photofeed.settings import Settings

NUMBERS_AND_SWITCHES = {
    "traces_ratio": 0.01,
    "port": 8000,
    "api_workers": 1,
    "compress_replies": False,
    "rate_limits": True,
    "rate_address_people": 20,
    "streams_per_person": 10,
    "streams_per_process": 2000,
    "requests_per_process": 128,
    "public_docs": False,
    "management_port": 0,
    "duckdb_memory_mb": 160,
    "features_stages": 1,
    "compact_seconds": 600.0,
    "jwt_provision": True,
    "session_hours": 168.0,
    "upload_max_bytes": 52_428_800,
    "upload_max_pixels": 61_000_000,
    "upload_url_seconds": 900,
    "uploads_per_day": 500,
    "upload_unfinished_bytes": 4_294_967_296,
    "upload_grace_seconds": 180,
    "processing_stuck_seconds": 3600,
    "sweep_seconds": 60.0,
    "avif_variants": False,
    "moderation_review": 0.85,
    "moderation_reject": 0.95,
    "moderation_reports": 3,
    "webhook_private_addresses": False,
    "notification_stream_seconds": 600.0,
    "model_poll_seconds": 2.0,
    "candidates": 500,
    "explore_share": 0.1,
    "explore_pools_seconds": 1.0,
    "hot_rows": 250_000,
    "timeline_length": 800,
    "celebrity_followers": 10_000,
}


def test_the_defaults_of_numbers_and_switches_are_these() -> None:
    fields = Settings.model_fields.items()
    found = {name: field.default for name, field in fields if isinstance(field.default, bool | int | float)}
    assert found == NUMBERS_AND_SWITCHES


def test_the_default_rates_are_these() -> None:
    fields = Settings.model_fields.items()
    found = {
        name: field.default for name, field in fields if name.startswith("rate_") and name not in NUMBERS_AND_SWITCHES
    }
    assert found == {
        "rate_reads": "3000/minute",
        "rate_writes": "1200/minute",
        "rate_uploads": "600/minute",
        "rate_events": "600/minute",
        "rate_search": "600/minute",
        "rate_sign_in": "3000/minute",
        "rate_images": "60000/minute",
    }
