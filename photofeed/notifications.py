"""Notifications: what a person is told about, and the statements that write it in the transaction of its cause.

A row says that something happened; whether it is shown is decided when it is read (serving/notifications.py): a like
that was taken back, a comment that was deleted or a person who was blocked takes the notification along (ADR 46).

Rows of a person are numbered in the order of their commits, because each statement takes their numbers from the
person's row in `notification_states`, which stays locked until the end of the transaction.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

KEPT = 1000  # newest notifications of a person
RETENTION = timedelta(days=90)
LATEST = timedelta(days=2)  # older actions, such as imported ones, notify nobody
MOST_MENTIONS = 20  # of one text; further ones notify nobody


class NotificationKind(StrEnum):
    """What people are notified of. Each kind can be switched off."""

    LIKE = "like"
    COMMENT = "comment"
    REPLY = "reply"
    MENTION = "mention"
    FOLLOW = "follow"
    FOLLOW_REQUEST = "follow_request"
    FOLLOW_ACCEPTED = "follow_accepted"
    PHOTO_APPROVED = "photo_approved"
    PHOTO_REJECTED = "photo_rejected"
    REPORT_DECIDED = "report_decided"


MEANINGS: Mapping[NotificationKind, str] = {
    NotificationKind.LIKE: "people like your photo; one notification for each photo",
    NotificationKind.COMMENT: "somebody commented on your photo",
    NotificationKind.REPLY: "somebody answered your comment",
    NotificationKind.MENTION: "somebody wrote @ and your handle in a caption or comment",
    NotificationKind.FOLLOW: "somebody follows you",
    NotificationKind.FOLLOW_REQUEST: "somebody asks to follow you",
    NotificationKind.FOLLOW_ACCEPTED: "somebody accepted your request to follow them",
    NotificationKind.PHOTO_APPROVED: "a moderator approved your photo",
    NotificationKind.PHOTO_REJECTED: "your photo was rejected",
    NotificationKind.REPORT_DECIDED: "a moderator decided about what you reported",
}

# Each source of notifications selects `wanted`: user_id, kind, actor_id, post_id, comment_id, subject, details, at and
# priority. A person has one row for each subject; of several rows for one, the lowest priority wins. A later like or
# decision moves the row to the end; the same person's next like does not, or they could do that as often as they like.
_WRITE = """
with wanted (user_id, kind, actor_id, post_id, comment_id, subject, details, at, priority) as ({wanted}),
allowed as (
    select distinct on (w.user_id, w.subject) w.*
    from wanted w join users u on u.id = w.user_id left join notification_states s on s.user_id = w.user_id
    where w.user_id is distinct from w.actor_id
        and w.at > now() - interval '{latest} seconds'
        and not w.kind = any(coalesce(s.switched_off, '{{}}'))
        and not exists (select from mutes m where m.muter_id = w.user_id and m.muted_id = w.actor_id)
        and not exists (
            select from blocks b
            where (b.blocker_id, b.blocked_id) in ((w.user_id, w.actor_id), (w.actor_id, w.user_id)))
    order by w.user_id, w.subject, w.priority, w.at desc
), numbered as (
    select *, row_number() over (partition by user_id order by at, subject) as nth,
           count(*) over (partition by user_id) as many
    from allowed
), states as (
    insert into notification_states (user_id, last_number)
    select user_id, count(*) from allowed group by user_id order by user_id
    on conflict (user_id) do update set last_number = notification_states.last_number + excluded.last_number
    returning user_id, last_number
)
insert into notifications as old (user_id, number, kind, actor_id, post_id, comment_id, subject, details, at)
select n.user_id, s.last_number - n.many + n.nth, n.kind, n.actor_id, n.post_id, n.comment_id, n.subject, n.details,
       n.at
from numbered n join states s on s.user_id = n.user_id
on conflict (user_id, subject) do update
    set number = excluded.number, kind = excluded.kind, actor_id = excluded.actor_id, at = excluded.at
    where (excluded.kind = 'like' and old.actor_id is distinct from excluded.actor_id)
        or excluded.kind in ('photo_approved', 'photo_rejected')
returning user_id
"""


def _statement(wanted: str) -> str:
    return _WRITE.format(wanted=wanted, latest=int(LATEST.total_seconds()))


# Parameters users, targets (posts) and moments: arrays of equal length.
OF_LIKES = _statement("""
select p.author_id, 'like', w.user_id, p.id, null::bigint, 'like:' || p.id, null::jsonb, w.at, 1
from unnest(%(users)s::bigint[], %(targets)s::bigint[], %(moments)s::timestamptz[]) as w(user_id, post_id, at)
join posts p on p.id = w.post_id and p.visible
""")
# Parameter events: ids of the events of the comments. What a comment is to a person, most specific first: an answer to
# theirs, a mention, one on their photo.
OF_COMMENTS = _statement("""
select told.user_id, told.kind, c.user_id, c.post_id, c.id, 'comment:' || c.id, null::jsonb, c.created_at, told.priority
from comments c join posts p on p.id = c.post_id and p.visible left join comments parent on parent.id = c.reply_to
cross join lateral (
    select parent.user_id, 'reply', 1 where parent.user_id is not null
    union all
    select u.id, 'mention', 2 from mentioned_handles(c.body) said join users u on u.handle = said
    union all
    select p.author_id, 'comment', 3
) told(user_id, kind, priority)
where c.event_id = any(%(events)s)
""")
# Parameter comment: its id. For an edited comment; people who were told of it before are not told again.
OF_COMMENT_MENTIONS = _statement("""
select u.id, 'mention', c.user_id, c.post_id, c.id, 'comment:' || c.id, null::jsonb, now(), 1
from comments c cross join mentioned_handles(c.body) said join users u on u.handle = said
where c.id = %(comment)s
""")
# Parameter post: its id. For a post that is shown for the first time, or whose caption was edited.
OF_POST_MENTIONS = _statement("""
select u.id, 'mention', p.author_id, p.id, null::bigint, 'mention:' || p.id, null::jsonb,
       case when photo.imported then p.posted_at else now() end, 1
from posts p join photos photo on photo.id = p.id
cross join mentioned_handles(p.caption) said join users u on u.handle = said
where p.id = %(post)s and p.visible
""")
# Parameters users, targets (people), kinds and moments: arrays of equal length.
OF_FOLLOWS = _statement("""
select w.told, w.kind, w.actor_id, null::bigint, null::bigint, w.kind || ':' || w.actor_id, null::jsonb, w.at, 1
from unnest(%(targets)s::bigint[], %(kinds)s::text[], %(users)s::bigint[], %(moments)s::timestamptz[])
    as w(told, kind, actor_id, at)
""")
# Parameters post and kind: photo_approved or photo_rejected. A profile picture is a photo without a post.
OF_MODERATION = _statement("""
select photo.owner_id, %(kind)s::text, null::bigint, p.id, null::bigint, 'photo:' || photo.id, null::jsonb, now(), 1
from photos photo left join posts p on p.id = photo.id where photo.id = %(post)s
""")
# Parameters reporters, reported (post, comment or person), outcome (removed or kept) and subject, unique for the
# decision.
OF_REPORTS = _statement("""
select reporter, 'report_decided', null::bigint, null::bigint, null::bigint, %(subject)s::text,
       jsonb_build_object('reported', %(reported)s::text, 'outcome', %(outcome)s::text), now(), 1
from unnest(%(reporters)s::bigint[]) reporter
""")

# Parameter users: those who were written to.
TRIM = f"""
delete from notifications n using notification_states s
where s.user_id = any(%(users)s) and n.user_id = s.user_id and n.number <= s.last_number - {KEPT}
"""  # noqa: S608  a constant
FORGET = "delete from notifications where at < %s"
