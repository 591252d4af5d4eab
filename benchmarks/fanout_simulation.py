"""What the celebrity threshold costs: deliveries that fan-out writes, and celebrities that readers pull.

Draws the followers of many accounts from a heavy-tailed distribution; follows themselves are not drawn, because all
sums need only their numbers, so memory stays below a gigabyte for 10 million accounts. Prints a table, then one line of
JSON, and writes a plot.

    deliveriesPerSecond  timeline entries that fan-out writes on average
    pullsPerFeed         celebrities that a reader follows on average, and the 99th percentile of readers
    longestFanOutSeconds for the largest account that is not a celebrity, on one core
"""

import argparse
import json
import resource
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from photofeed.capacity import DAY_SECONDS, DELIVERIES_PER_CORE
from photofeed.settings import Settings

THRESHOLDS = (300, 1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000, 10_000_000)
TAIL = 1.15  # exponent of the Pareto distribution of followers: a few accounts have a good part of all followers
MOST_FOLLOWERS_SHARE = 0.2  # of all people that the largest account has
FOLLOWS_MEDIAN, FOLLOWS_SIGMA, MOST_FOLLOWS = 120, 1.0, 7_500
CREATOR_SHARE, POSTS_PER_DAY = 0.2, 1.0  # of accounts that post, and how often
READERS = 200_000  # drawn for the percentile


@dataclass(frozen=True, slots=True)
class Cost:
    """What one threshold costs."""

    threshold: int
    celebrities: int
    deliveriesPerSecond: float  # noqa: N815  names in the JSON line
    pullsPerFeed: float  # noqa: N815
    pullsPerFeedP99: float  # noqa: N815
    longestFanOutSeconds: float  # noqa: N815


def followers(accounts: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Followers of each account: a Pareto tail, scaled so that follows given equal follows received."""
    drawn = random.pareto(TAIL, accounts).astype(np.float32)
    np.minimum(drawn, np.float32(accounts * MOST_FOLLOWERS_SHARE), out=drawn)
    given = float(follows(READERS, random).mean()) * accounts
    drawn *= np.float32(given / drawn.sum(dtype=np.float64))
    return np.minimum(drawn, accounts * MOST_FOLLOWERS_SHARE).astype(np.int64)


def follows(readers: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Accounts that each reader follows."""
    return np.minimum(random.lognormal(np.log(FOLLOWS_MEDIAN), FOLLOWS_SIGMA, readers), MOST_FOLLOWS).astype(np.int64)


def costs(accounts: int, seed: int = 5) -> list[Cost]:
    """The cost of each threshold. The accounts of a reader depend only on how many followers accounts have."""
    random = np.random.default_rng(seed)
    counts = followers(accounts, random)
    posts_per_second = CREATOR_SHARE * POSTS_PER_DAY / DAY_SECONDS  # of a random account
    readers, all_follows, found = follows(READERS, random), counts.sum(), []
    for threshold in THRESHOLDS:
        is_celebrity = counts >= threshold
        pulled = counts[is_celebrity].sum()
        normal = counts[~is_celebrity]
        share = min(1.0, pulled / all_follows)
        found.append(
            Cost(
                threshold,
                int(is_celebrity.sum()),
                float(normal.sum() * posts_per_second),
                float(pulled / accounts),
                float(np.percentile(random.binomial(readers, share), 99)),
                float(normal.max(initial=0) / DELIVERIES_PER_CORE.value),
            )
        )
    return found


def plot(found: list[Cost], path: Path) -> None:
    """Deliveries and pulls over thresholds, with the default."""
    mpl.use("svg")
    figure, deliveries = plt.subplots(figsize=(7, 4))
    thresholds = [cost.threshold for cost in found]
    deliveries.plot(thresholds, [cost.deliveriesPerSecond for cost in found], "o-", color="tab:blue")
    deliveries.set(xscale="log", xlabel="followers from which an account is a celebrity", ylim=(0, None))
    deliveries.set_ylabel("deliveries per second", color="tab:blue")
    pulls = deliveries.twinx()
    pulls.plot(thresholds, [cost.pullsPerFeedP99 for cost in found], "s--", color="tab:red")
    pulls.plot(thresholds, [cost.pullsPerFeed for cost in found], "s-", color="tab:red")
    pulls.set_ylabel("celebrities pulled per feed (dashed: p99)", color="tab:red")
    pulls.set_ylim(0, None)
    deliveries.axvline(Settings.model_fields["celebrity_followers"].default, color="grey", linestyle=":")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=10_000_000)
    parser.add_argument("--plot", type=Path, default=Path("fanout.svg"))
    arguments = parser.parse_args()
    found = costs(arguments.accounts)
    table = Table("threshold", "celebrities", "deliveries/s", "pulls per feed", "p99", "longest fan-out, s")
    for cost in found:
        table.add_row(
            f"{cost.threshold:,}",
            f"{cost.celebrities:,}",
            f"{cost.deliveriesPerSecond:,.0f}",
            f"{cost.pullsPerFeed:.1f}",
            f"{cost.pullsPerFeedP99:.0f}",
            f"{cost.longestFanOutSeconds:.2f}",
        )
    Console().print(table)
    plot(found, arguments.plot)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"accounts": arguments.accounts, "peakRssMb": round(peak), "costs": list(map(asdict, found))}))


if __name__ == "__main__":
    main()
