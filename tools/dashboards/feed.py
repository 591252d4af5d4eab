"""The feed: how many, how fast, and what ranks them."""

from tools.dashboards.panels import Dashboard, Panel

FEED = Dashboard(
    "feed",
    "photofeed: feed",
    (
        Panel(
            "Slates by ranker",
            "reqps",
            {"photofeed:feed_slates:rate5m": "{{ranking}}"},
            "Anything but `model` is a fallback or an arm of an experiment.",
        ),
        Panel(
            "Share ranked by a model",
            "percentunit",
            {"photofeed:feed_slates_by_model:ratio_rate5m": "model"},
            "Below 0.9 for five minutes somebody is called.",
        ),
        Panel(
            "Stages, p99",
            "s",
            {"photofeed:feed_stage_seconds:p99_rate5m": "{{stage}}"},
            "candidates and features wait for Redis, query and page for PostgreSQL, score and rerank compute.",
            limit=0.25,
        ),
        Panel(
            "Stages, median",
            "s",
            {
                "histogram_quantile(0.5, sum by (stage, le) (rate(photofeed_feed_stage_seconds_bucket[5m])))": (
                    "{{stage}}"
                )
            },
            "Medians of the same stages.",
        ),
        Panel(
            "Sources skipped",
            "percentunit",
            {"photofeed:feed_sources_skipped:ratio_rate5m": "{{source}}"},
            "Share of slates without the candidates of a source, because it failed or took half a second.",
            limit=0.05,
        ),
        Panel(
            "Candidates removed by filters",
            "short",
            {"sum by (reason) (rate(photofeed_feed_candidates_dropped_total[5m]))": "{{reason}}"},
            "Per second. Much of `seen` means that people have read all there is.",
        ),
        Panel(
            "Pages of the served log",
            "short",
            {"sum by (outcome) (rate(photofeed_served_log_pages_total[5m]))": "{{outcome}}"},
            "Per second. Pages that are dropped are missing in training.",
        ),
        Panel(
            "Rows kept in the process",
            "percentunit",
            {
                'sum(rate(photofeed_hot_row_reads_total{found="hit"}[5m])) '
                "/ sum(rate(photofeed_hot_row_reads_total[5m]))": "found"
            },
            "Share of the rows of posts and authors that feeds did not have to read from Redis.",
        ),
        Panel(
            "Kept rows behind Redis, p99",
            "s",
            {"histogram_quantile(0.99, sum by (le) (rate(photofeed_hot_rows_lag_seconds_bucket[5m])))": "servers"},
            "From the publication of a row until a server had applied it.",
            limit=0.3,
        ),
        Panel(
            "Fallbacks and model failures",
            "short",
            {
                "sum by (ranker) (rate(photofeed_feed_fallbacks_total[5m]))": "instead of {{ranker}}",
                "sum by (alias) (rate(photofeed_feed_model_failures_total[5m]))": "{{alias}} failed",
            },
            "Slates per second that another ranker ranked than the one asked for.",
        ),
    ),
)
