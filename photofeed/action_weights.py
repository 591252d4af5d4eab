"""What each action on a post is worth, and which action takes it back.

Feature declarations, the pools of explore and the PostgreSQL fallback of the feed weigh actions by this table. The
relevance grades of training (training/data/labels.py) are a second scale, which maps the same actions.
"""

from collections.abc import Mapping

from photofeed.events import Action

# Unit: likes. Follows are not in the table because they do not say which post somebody likes: as items of their own
# in the neighbours pool, they separated posts that the followers of one author like.
ENGAGEMENT_WEIGHTS: Mapping[Action, float] = {
    Action.OPEN: 0.5,
    Action.LIKE: 1.0,
    Action.COMMENT: 2.0,
    Action.SAVE: 2.0,
    Action.SHARE: 3.0,
}
# What experiments and the simulation count as engagement.
ENGAGEMENT_ACTIONS = (Action.LIKE, Action.COMMENT, Action.SAVE, Action.SHARE)
# Unit: hidden posts.
UNWELCOME_WEIGHTS: Mapping[Action, float] = {Action.HIDE: 1.0, Action.REPORT: 3.0}
# Looks at a post that was fully shown: shorter ones, without engagement, are quick skips.
QUICK_SKIP_SECONDS = 1.0

UNDONE_BY: Mapping[Action, Action] = {
    Action.LIKE: Action.UNLIKE,
    Action.SAVE: Action.UNSAVE,
    Action.FOLLOW: Action.UNFOLLOW,
    Action.HIDE: Action.UNHIDE,
}

# SQL: what a row of `posts`, named p, is worth by the actions that PostgreSQL counts.
POST_POPULARITY = " + ".join(
    f"{ENGAGEMENT_WEIGHTS[action]} * p.{action}_count" for action in (Action.LIKE, Action.COMMENT, Action.SAVE)
)
