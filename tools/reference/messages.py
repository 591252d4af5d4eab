"""The page of Kafka topics."""

from photofeed import topics
from photofeed.events import Action
from tools.reference.markdown import code, generated, table

_ABOUT = """Each message is JSON: `id`, `type`, `version`, `occurredAt`, `key` and `payload`, with
names in camelCase. Consumers ignore fields that they do not know. The header `traceparent` is the
message's W3C trace context, if it has one. `photofeed setup` creates the topics."""


def page() -> str:
    """Every topic, and the actions of `engagement`."""
    readers: dict[str, list[str]] = {}
    for group, read in topics.SUBSCRIPTIONS.items():
        for topic in read:
            readers.setdefault(topic.name, []).append(group)
    rows = [
        (code(one.name), code(one.key), str(one.partitions), f"{one.retention.days} days", _groups(readers, one.name))
        for one in topics.all_topics()
    ]
    head = ("topic", "key", "partitions", "retention", "read by")
    actions = ", ".join(code(action.value) for action in Action)
    return "\n".join(
        (
            generated("Topics", "`photofeed/topics.py`", _ABOUT),
            table(head, rows),
            f"Actions of `engagement`: {actions}.\n",
        )
    )


def _groups(readers: dict[str, list[str]], topic: str) -> str:
    return ", ".join(readers.get(topic, [])) or "`photofeed dlq`"
