"""What is pushed is history in the lake and the present in Redis; training sees of it what was known at the time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import redis
from feast.data_source import PushMode

from ingestion.engagement.online_rebuild import rebuild_online
from photofeed.errors import NotFoundError, PermanentError
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.quarantine import quarantined
from photofeed.offline_store.store import LakeOfflineStore, lake_of
from photofeed.online_store.keys import scan_pattern

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
Features = Any  # tests/integration/offline_store/conftest.py


def frame(**columns: Any) -> pd.DataFrame:
    count = max(len(values) for values in columns.values())
    moments = {"event_timestamp": [NOON] * count, "created": [NOON] * count}
    return pd.DataFrame(moments | columns)


def post_rows(**columns: Any) -> pd.DataFrame:
    count = len(columns["post_id"])
    return frame(**({"likes": [1.0] * count, "day": [7] * count, "caption": ["x"] * count} | columns))


def known(random: np.random.Generator, count: int) -> pd.DataFrame:
    """Rows about few pairs, many of them late, some of one moment, some exact repetitions."""
    events = NOON + pd.to_timedelta(random.integers(0, 50, count) * 60, unit="s")
    rows = pd.DataFrame(
        {
            "user_id": random.integers(0, 4, count),
            "post_id": random.integers(0, 5, count),
            "affinity": np.arange(count, dtype=np.float32),
            "follows": random.random(count) < 0.5,
            "event_timestamp": events,
            "created": events + pd.to_timedelta(random.choice([0, 30, 900, 86_400], count), unit="s"),
        }
    )
    return pd.concat([rows, rows.iloc[::10]], ignore_index=True)


def brute_force(history: pd.DataFrame, asked: pd.DataFrame) -> list[float | None]:
    """Of the rows that had happened and were known by then the newest, and of equally new ones the last known."""
    expected: list[float | None] = []
    for row in asked.itertuples():
        rows = history[
            (history["user_id"] == row.user_id)
            & (history["post_id"] == row.post_id)
            & (history["event_timestamp"] <= row.event_timestamp)
            & (history["created"] <= row.event_timestamp)
        ].sort_values(["event_timestamp", "created"])
        expected.append(None if rows.empty else float(rows["affinity"].iloc[-1]))
    return expected


def test_training_rows_hold_what_was_known_at_their_moment(features: Features) -> None:
    random = np.random.default_rng(7)
    history = known(random, 300)
    # two rows of one moment, known at one moment, have no order: keep what tells them apart
    history = history.drop_duplicates(["user_id", "post_id", "event_timestamp", "created"])
    history = pd.concat([history, history.iloc[::10]], ignore_index=True)
    for batch in np.array_split(random.permutation(len(history)), 5):
        features.store.push("pair_stats", history.iloc[batch].reset_index(drop=True), to=PushMode.OFFLINE)
    asked = pd.DataFrame(
        {
            "user_id": random.integers(0, 6, 250),
            "post_id": random.integers(0, 7, 250),
            "event_timestamp": NOON + pd.to_timedelta(random.integers(-10, 100, 250) * 45, unit="s"),
            "row": np.arange(250),
        }
    )
    asked = pd.concat([asked, asked.head(5)], ignore_index=True)
    answer = features.store.get_historical_features(asked, ["pair_stats:affinity", "pair_stats:follows"]).to_df()
    found = answer.sort_values("row")["affinity"].to_numpy(dtype=object)
    expected = brute_force(history, asked.sort_values("row"))
    assert [None if pd.isna(value) else float(value) for value in found] == expected
    assert 50 < sum(value is not None for value in expected) < 230


def test_a_push_is_the_next_read_and_one_part_per_hour_of_history(features: Features) -> None:
    hours = [NOON, NOON + timedelta(minutes=59), NOON + timedelta(hours=1), NOON - timedelta(days=1)]
    rows = post_rows(post_id=[1, 2, 3, 4], likes=[1.5, 2.5, 3.5, 4.5], event_timestamp=hours, created=hours)
    features.store.push("post_stats", rows, to=PushMode.ONLINE_AND_OFFLINE)
    online = features.store.get_online_features(
        ["post_stats:likes", "post_stats:day", "post_stats:caption"], [{"post_id": id_} for id_ in (4, 1, 9)]
    ).to_dict()
    assert online["likes"] == [4.5, 1.5, None]
    assert online["day"] == [7, 7, None]
    assert online["caption"] == ["x", "x", None]
    paths = {path.relative_to(path.parents[2]).parent.as_posix() for path in mirror(features, "post_stats")}
    assert paths == {"day=2026-03-01/hour=12", "day=2026-03-01/hour=13", "day=2026-02-28/hour=12"}


def test_features_named_like_the_lakes_folders_keep_their_own_values(features: Features) -> None:
    features.store.push("post_stats", post_rows(post_id=[1], day=[42]), to=PushMode.OFFLINE)
    asked = pd.DataFrame({"post_id": [1, 2], "event_timestamp": [NOON, NOON]})
    answer = features.store.get_historical_features(asked, ["post_stats:day"]).to_df().sort_values("post_id")
    assert answer["day"].iloc[0] == 42
    assert pd.isna(answer["day"].iloc[1])


def test_times_in_any_zone_or_none_mean_the_same_moment(features: Features) -> None:
    moments = pd.Series([NOON]).dt.tz_convert("Asia/Tokyo")
    features.store.push("post_stats", post_rows(post_id=[1], event_timestamp=moments), to=PushMode.OFFLINE)
    naive = post_rows(post_id=[2], event_timestamp=[NOON.replace(tzinfo=None)], created=[NOON.replace(tzinfo=None)])
    features.store.push("post_stats", naive, to=PushMode.OFFLINE)
    for asked_at, expected in [(NOON, [1.0, 1.0]), (NOON - timedelta(microseconds=1), [None, None])]:
        asked = pd.DataFrame({"post_id": [1, 2], "event_timestamp": [asked_at] * 2})
        answer = features.store.get_historical_features(asked, ["post_stats:likes"]).to_df().sort_values("post_id")
        assert [None if pd.isna(value) else value for value in answer["likes"]] == expected


def test_a_join_says_its_query_and_writes_nothing_into_the_lake(features: Features) -> None:
    asked = pd.DataFrame({"post_id": [1], "event_timestamp": [NOON]})
    job = features.store.get_historical_features(asked, ["post_stats:likes"])
    assert "asof left join" in job.to_sql()
    with pytest.raises(PermanentError, match="does not store saved datasets"):
        job.persist(features.store.get_feature_view("post_stats").batch_source)


def test_nothing_was_pushed_yet_and_training_rows_are_kept_without_values(features: Features) -> None:
    asked = pd.DataFrame({"user_id": [1], "post_id": [1], "event_timestamp": [NOON]})
    answer = features.store.get_historical_features(asked, ["post_stats:likes", "pair_stats:affinity"]).to_df()
    assert answer[["likes", "affinity"]].isna().all().all()
    assert len(answer) == 1


def test_an_emptied_online_store_is_filled_from_history(features: Features) -> None:
    rows = post_rows(post_id=[1, 1, 2], likes=[1.0, 2.0, 3.0], event_timestamp=[NOON, NOON + timedelta(hours=1), NOON])
    features.store.push("post_stats", rows, to=PushMode.OFFLINE)
    features.store.materialize(NOON - timedelta(days=1), NOON + timedelta(days=1), ["post_stats"])
    online = features.store.get_online_features(["post_stats:likes"], [{"post_id": 1}, {"post_id": 2}]).to_dict()
    assert online["likes"] == [2.0, 3.0]


def test_online_features_are_rebuilt_from_history_to_the_bit(features: Features) -> None:
    random, store = np.random.default_rng(3), features.store
    moments = NOON + pd.to_timedelta(random.integers(0, 10_000_000, 400), unit="us")
    pairs = pd.DataFrame(
        {
            "user_id": random.integers(0, 12, 400),
            "post_id": random.integers(0, 5, 400),
            "affinity": np.where(random.random(400) < 0.1, np.nan, random.random(400)).astype(np.float32),
            "follows": random.random(400) < 0.5,
            "event_timestamp": moments,
            "created": moments + pd.to_timedelta(random.integers(0, 3, 400), unit="us"),
        }
    )
    for batch in (pairs.iloc[first : first + 50] for first in range(0, 400, 50)):
        store.push("pair_stats", batch.reset_index(drop=True), to=PushMode.ONLINE_AND_OFFLINE)
    store.push("post_stats", post_rows(post_id=[1, 2], likes=[0.1, 0.2]), to=PushMode.ONLINE_AND_OFFLINE)
    lake = lake_of(store.config)
    with redis.Redis.from_url(store.config.online_store.redis_url) as client:

        def online() -> dict[bytes, Any]:
            patterns = [scan_pattern(store.project, view) for view in ("pair_stats", "post_stats")]
            return {key: client.get(key) for pattern in patterns for key in client.scan_iter(pattern)}

        before = online()
        assert len(before) > 50
        client.delete(*before)
        unreadable = [f"{store.project}:pair_stats:".encode() + bytes([n] * 16) for n in range(5)]
        others = [f"{store.project}:locks", f"{store.project}s:pair_stats:"]
        client.mset(dict.fromkeys([*unreadable, *others], b"x"))
        assert rebuild_online(store, lake, client) == {"pair_stats": len(before) - 2, "post_stats": 2}
        assert online() == before
        assert client.exists(*unreadable) == 0
        assert client.delete(*others) == 2
        newer = pairs.tail(1).assign(event_timestamp=NOON + timedelta(days=1), affinity=7.0)
        store.push("pair_stats", newer.reset_index(drop=True), to=PushMode.ONLINE)
        present = online()
        rebuild_online(store, lake, client)
        assert online() == present


def test_rows_that_do_not_fit_their_source_are_refused_and_none_is_kept(features: Features) -> None:
    with pytest.raises(ValueError, match=r"missing_expected_columns.*caption"):
        features.store.push("post_stats", post_rows(post_id=[1]).drop(columns="caption"), to=PushMode.OFFLINE)
    with pytest.raises(ValueError, match="bad"):
        features.store.push("post_stats", post_rows(post_id=[1], likes=["bad"]), to=PushMode.OFFLINE)
    assert mirror(features, "post_stats") == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # pandera's own
def test_a_row_that_breaks_its_contract_waits_in_quarantine_and_the_others_are_kept(features: Features) -> None:
    began = datetime.now(UTC)
    rows = post_rows(post_id=[1, 2], likes=[1.0, float("inf")])
    features.store.push("post_stats", rows, to=PushMode.OFFLINE)
    asked = pd.DataFrame({"post_id": [1, 2], "event_timestamp": [NOON, NOON]})
    answer = features.store.get_historical_features(asked, ["post_stats:likes"]).to_df().sort_values("post_id")
    assert answer["likes"].tolist() == [1.0, pytest.approx(np.nan, nan_ok=True)]
    found = quarantined(lake_of(features.store.config), features.folder.bucket, began).to_pylist()
    assert [row["reason"] for row in found if row["table"] == "post_stats"] == ["likes: is infinite (inf)"]


def test_a_source_that_was_never_declared_is_refused_with_the_remedy(features: Features) -> None:
    store = features.store
    source = store.get_feature_view("post_stats").batch_source
    source.file_options.uri = f"{features.folder}/nowhere"
    with pytest.raises(NotFoundError, match="apply the feature repo first"):
        LakeOfflineStore().validate_data_source(store.config, source)


def test_a_column_that_was_added_later_reads_as_null_in_older_rows(features: Features) -> None:
    store = features.store
    features.store.push("post_stats", post_rows(post_id=[1]), to=PushMode.OFFLINE)
    view = store.get_feature_view("post_stats")
    view.features.append(type(view.features[0])(name="saves", dtype=view.features[0].dtype))
    LakeOfflineStore.ensure_source(store.config, view)
    store.apply([view])
    store.push("post_stats", post_rows(post_id=[2]).assign(saves=4.0), to=PushMode.OFFLINE)
    asked = pd.DataFrame({"post_id": [1, 2], "event_timestamp": [NOON, NOON]})
    answer = store.get_historical_features(asked, ["post_stats:saves", "post_stats:likes"]).to_df()
    answer = answer.sort_values("post_id")
    assert answer["likes"].tolist() == [1.0, 1.0]
    assert pd.isna(answer["saves"].iloc[0])
    assert answer["saves"].iloc[1] == 4.0


def mirror(features: Features, view: str) -> list[Any]:
    lake: Lake = lake_of(features.store.config)
    folder: LakeFolder = features.history(view)
    return list(lake.mirror(folder))
