"""Models: which version ranks where, and what explore and the lake are made of."""

from tools.dashboards.panels import Dashboard, Panel

MODELS = Dashboard(
    "models",
    "photofeed: models",
    (
        Panel(
            "Version that ranks",
            "short",
            {"photofeed_model_version": "{{instance}}"},
            "All servers follow a promotion within 5 seconds; 0 is no model.",
        ),
        Panel(
            "Version that was refused",
            "short",
            {"photofeed_model_refused_version": "{{instance}}"},
            "The champion that a server cannot use; 0 is none.",
        ),
        Panel(
            "Loads",
            "short",
            {"sum by (outcome) (increase(photofeed_model_loads_total[15m]))": "{{outcome}}"},
            "Versions loaded beside the traffic, in 15 minutes.",
        ),
        Panel(
            "Age of the aliases",
            "s",
            {"time() - (photofeed_model_poll_success_timestamp_seconds > 0)": "{{instance}}"},
            "Since the registry last answered.",
            limit=300,
        ),
        Panel(
            "Ranks without a registered champion",
            "short",
            {"photofeed_model_unregistered": "{{instance}}"},
            "1 while a model ranks and the alias is gone from the registry.",
        ),
        Panel(
            "Explore pools",
            "short",
            {"sum by (pools) (photofeed_pools_built)": "{{pools}}"},
            "Pools of the last build.",
        ),
        Panel(
            "Building the pools",
            "s",
            {
                "sum by (pools) (rate(photofeed_pools_build_seconds_sum[15m]))"
                " / sum by (pools) (rate(photofeed_pools_build_seconds_count[15m]))": "{{pools}}",
            },
            "Mean time of a build.",
        ),
        Panel(
            "The lake",
            "short",
            {
                "sum by (table) (increase(photofeed_quarantined_rows_total[1h]))": "quarantined {{table}}",
                "increase(photofeed_lake_merged_parts_total[1h])": "parts merged",
            },
            "In an hour. Rows in quarantine are missing in training.",
        ),
    ),
)
