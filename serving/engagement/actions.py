"""The vocabulary of engagement: what a client reports, and the outcome of a call."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from photofeed.errors import InvalidError, NotFoundError
from photofeed.events import PERSON_ACTIONS, Action
from photofeed.report_reasons import ReportReason

FUTURE_LIMIT = timedelta(minutes=5)  # the clocks of phones are slightly off
IMPORT_PAST_LIMIT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class ClientAction:
    """One action of one person, as a client reports it. `id` is the client's own, unique per person."""

    id: str
    action: Action
    actor_id: int
    occurred_at: datetime
    post_id: int | None = None
    person_id: int | None = None
    receipt: str | None = None  # of the served item; see serving/receipts.py
    slate_id: str | None = None  # slate and position count only if a receipt proves them, or a service says so
    position: int | None = None
    dwell_ms: int | None = None
    source: str | None = None
    text: str | None = None  # of a comment or a report
    reply_to: int | None = None  # the comment that a comment answers
    reason: ReportReason = ReportReason.OTHER  # of a report

    @property
    def is_on_person(self) -> bool:
        """Whether the target is a person; otherwise it is a post."""
        return self.action in PERSON_ACTIONS

    @property
    def pair(self) -> tuple[int, int]:
        """Actor and target: the key of the state that the action changes."""
        target = self.person_id if self.is_on_person else self.post_id
        return self.actor_id, target or 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one action was refused; `index` is its index in the call."""

    index: int
    id: str
    code: str
    reason: str


@dataclass(slots=True)
class RecordOutcome:
    """Counts of accepted and unchanged actions of one call, and the refused ones."""

    accepted: int = 0
    unchanged: int = 0
    refused: list[Refusal] = field(default_factory=list)

    def raise_if_refused(self) -> None:
        """Turn the first refusal into an error, for calls with a single action.

        Raises:
            NotFoundError: the post or person does not exist, or the caller may not see it.
            InvalidError: the action was refused for another reason.
        """
        for refusal in self.refused:
            kind = NotFoundError if refusal.code.endswith("_not_found") else InvalidError
            raise kind(refusal.reason, code=refusal.code)
