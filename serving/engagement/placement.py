"""Where an action took place: in a slate and at a position, as its receipt proves."""

from dataclasses import replace

from prometheus_client import Counter

from photofeed.errors import InvalidError
from photofeed.events import Action
from serving.engagement.actions import ClientAction
from serving.receipts import ReceiptSealer, ServedAt

RECEIPTS = Counter("photofeed_event_receipts", "Events about posts by the state of their receipt", ["state"])


def place(action: ClientAction, receipts: ReceiptSealer, *, as_service: bool) -> ClientAction:
    """The action with the slate and position of its receipt.

    Without a valid receipt an action has neither: it is a reaction outside of a slate. A service that imports actions
    states their slate and position itself, unless it sends a receipt.

    Raises:
        InvalidError: an impression without a valid receipt.
    """
    if action.is_on_person or action.post_id is None:
        return action if as_service else replace(action, slate_id=None, position=None)
    if action.receipt is None and as_service:
        return action
    try:
        served = _served(action, action.post_id, receipts)
    except InvalidError as error:
        RECEIPTS.labels(error.code.removeprefix("receipt_")).inc()
        if action.action is Action.IMPRESSION:
            raise
        return replace(action, slate_id=None, position=None)
    RECEIPTS.labels("valid").inc()
    return replace(action, slate_id=served.slate_id, position=served.position)


def _served(action: ClientAction, post: int, receipts: ReceiptSealer) -> ServedAt:
    if action.receipt is None:
        raise InvalidError(
            "An impression needs the receipt of its feed item; views elsewhere are no impressions.",
            code="receipt_missing",
        )
    return receipts.read(action.receipt, action.actor_id, post)
