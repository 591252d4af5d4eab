"""Why people report posts, comments and people: the reasons that clients may give."""

from collections.abc import Mapping
from enum import StrEnum


class ReportReason(StrEnum):
    """What is wrong with a post, a comment or a person."""

    SPAM = "spam"
    NUDITY = "nudity"
    VIOLENCE = "violence"
    HATE = "hate"
    HARASSMENT = "harassment"
    SELF_HARM = "self_harm"
    CHILD_SAFETY = "child_safety"
    ILLEGAL = "illegal"
    IMPERSONATION = "impersonation"
    COPYRIGHT = "copyright"
    FALSE_INFORMATION = "false_information"
    OTHER = "other"


# Reason -> what it says of the thing that is reported.
MEANINGS: Mapping[ReportReason, str] = {
    ReportReason.SPAM: "advertising, fraud, or the same again and again",
    ReportReason.NUDITY: "nudity or sexual acts",
    ReportReason.VIOLENCE: "violence or threats",
    ReportReason.HATE: "hatred of a group of people",
    ReportReason.HARASSMENT: "bullying or harassment",
    ReportReason.SELF_HARM: "somebody may hurt themselves",
    ReportReason.CHILD_SAFETY: "a child is endangered or abused",
    ReportReason.ILLEGAL: "sale of illegal goods, or another crime",
    ReportReason.IMPERSONATION: "somebody pretends to be another person",
    ReportReason.COPYRIGHT: "a picture or text of somebody else",
    ReportReason.FALSE_INFORMATION: "untrue and harmful",
    ReportReason.OTHER: "anything else; the text says what",
}

# One report for such a reason is enough for a moderator to look.
URGENT = frozenset({ReportReason.SELF_HARM, ReportReason.CHILD_SAFETY})
