"""Photos and events: what the workers do, and how late they are."""

from tools.dashboards.panels import Dashboard, Panel

WORKERS = Dashboard(
    "workers",
    "photofeed: photos and events",
    (
        Panel(
            "Messages by worker",
            "short",
            {'sum by (group) (photofeed:worker_messages:rate5m{outcome="done"})': "{{group}}"},
            "Handled per second.",
        ),
        Panel(
            "Dead letters and retries",
            "short",
            {
                'sum by (group) (photofeed:worker_messages:rate5m{outcome="dead"})': "{{group}} gave up",
                "sum by (group, reason) (rate(photofeed_worker_retries_total[5m]))": "{{group}} again: {{reason}}",
            },
            "Per second. `unavailable` waits for a server, `failed` was refused.",
        ),
        Panel(
            "Lag",
            "short",
            {"max by (group, topic) (photofeed_worker_lag)": "{{group}} in {{topic}}"},
            "Messages that are not committed; above 10,000 for a quarter of an hour somebody is called.",
            limit=10_000,
        ),
        Panel(
            "Since work was last finished",
            "s",
            {"time() - (photofeed_worker_last_commit_timestamp_seconds > 0)": "{{instance}}"},
            "A worker without messages finishes none. One that is stuck ends itself.",
        ),
        Panel(
            "From event to feature, p99",
            "s",
            {"photofeed:engagement_freshness_seconds:p99_rate5m": "p99"},
            "Until the next feed uses an event; above 5 s somebody is called.",
            limit=5,
        ),
        Panel(
            "Engagement events",
            "short",
            {"sum by (outcome) (rate(photofeed_engagement_events_total[5m]))": "{{outcome}}"},
            "Per second. Duplicates are events that were delivered again and not counted again.",
        ),
        Panel(
            "Photos by outcome",
            "short",
            {"sum by (status) (rate(photofeed_photos_total[15m]))": "{{status}}"},
            "Per second.",
        ),
        Panel(
            "Processing a photo",
            "s",
            {
                "photofeed:photo_processing_seconds:p95_rate15m": "p95",
                "sum(rate(photofeed_photo_processing_seconds_sum[15m]))"
                " / sum(rate(photofeed_photo_processing_seconds_count[15m]))": "mean",
            },
            "From bytes to variants, in the sandbox. A worker processes one photo at a time.",
        ),
        Panel(
            "Timeline entries written",
            "short",
            {"sum(rate(photofeed_fanout_deliveries_total[5m]))": "deliveries"},
            "Per second; one core writes about 350,000.",
        ),
        Panel(
            "Outbox",
            "short",
            {"sum by (topic) (rate(photofeed_outbox_messages_total[5m]))": "{{topic}}"},
            "Messages published per second.",
        ),
        Panel(
            "Rebalances and producers made again",
            "short",
            {
                "sum by (group) (increase(photofeed_worker_rebalances_total[15m]))": "{{group}} rebalanced",
                "increase(photofeed_producer_restarts_total[15m])": "producer of {{instance}}",
            },
            "In 15 minutes.",
        ),
        Panel(
            "Deleted and cleaned up",
            "short",
            {
                "sum by (kind) (rate(photofeed_removed_objects_total[15m]))": "removed {{kind}}",
                "sum by (kind) (rate(photofeed_swept_total[15m]))": "swept {{kind}}",
            },
            "Objects per second.",
        ),
    ),
)
