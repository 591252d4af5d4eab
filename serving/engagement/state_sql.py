"""The SQL of engagement: locks, look-ups that refusals need, and the state change of each action."""

from photofeed.events import Action
from serving.visibility import VISIBLE_TO_VIEWER

# Ordered by id, so that no two calls deadlock.
LOCK_PEOPLE = "select from users where id = any(%s) order by id for no key update"
LOCK_POSTS = "select from posts where id = any(%s) order by id for no key update"

# Ordered by id, so that two calls with the same ids do not deadlock. Returns the ids that no earlier call recorded.
CLAIM_EVENT_IDS = """
insert into told_changes (event_id) select id from unnest(%s::text[]) id order by id
on conflict do nothing returning event_id
"""

VISIBLE_POSTS = f"""
select p.id, p.author_id, p.topic_id, p.content_type
from posts p join users u on u.id = p.author_id
where p.id = any(%(posts)s) and {VISIBLE_TO_VIEWER}
"""  # noqa: S608  a constant
# An item without a creator is its own: its events must not count for one creator together.
_CREATED = "select p.id, coalesce(p.author_id, p.id) as author_id, p.topic_id, p.content_type from posts p"
# Posts to which somebody may take back a reaction, although they may not see them any more.
REACTED_POSTS = f"""
{_CREATED}
where p.id = any(%(posts)s) and (
    exists (select 1 from likes r where r.user_id = %(viewer)s and r.post_id = p.id)
    or exists (select 1 from saves r where r.user_id = %(viewer)s and r.post_id = p.id)
    or exists (select 1 from hides r where r.user_id = %(viewer)s and r.post_id = p.id))
"""  # noqa: S608  a constant
POSTS_FOR_SERVICE = f"{_CREATED} where p.id = any(%(posts)s) and (p.visible or p.content_type = 'item')"
EXISTING_PEOPLE = "select id from users where id = any(%s)"

# Of the pairs (follower, followee): those whose followee is private, those without a pending request, those with a
# block in either direction.
PRIVATE_FOLLOWEES = """
select follower, followee
from unnest(%(followers)s::bigint[], %(followees)s::bigint[]) as w(follower, followee) join users on id = followee
where is_private
"""
PAIRS_WITHOUT_REQUEST = """
select follower, followee from unnest(%(followers)s::bigint[], %(followees)s::bigint[]) as w(follower, followee)
where not exists (select 1 from follow_requests where follower_id = follower and followee_id = followee)
"""
# Of the pairs (actor, target): those whose target has blocked the actor, who must not notice that the target exists,
# except where the actor takes back a mute of before.
HIDDEN_FROM_ACTOR = """
select actor, target
from unnest(%(actors)s::bigint[], %(targets)s::bigint[], %(unmutes)s::boolean[]) as w(actor, target, unmutes)
where exists (select 1 from blocks where blocker_id = target and blocked_id = actor)
    and not (unmutes and exists (select 1 from mutes where muter_id = actor and muted_id = target))
"""
BLOCKED_PAIRS = """
select follower, followee from unnest(%(followers)s::bigint[], %(followees)s::bigint[]) as w(follower, followee)
where exists (select 1 from blocks where (blocker_id, blocked_id) in ((follower, followee), (followee, follower)))
"""

_ADD_REACTION = """
with added as (
    insert into {table} (user_id, post_id, created_at)
    select * from unnest(%(users)s::bigint[], %(targets)s::bigint[], %(moments)s::timestamptz[])
    on conflict do nothing returning user_id, post_id
), counted as (
    update posts set {counter} = {counter} + n
    from (select post_id, count(*) as n from added group by post_id) a where id = a.post_id
)
select user_id, post_id as target_id from added
"""
_REMOVE_REACTION = """
with removed as (
    delete from {table} t using unnest(%(users)s::bigint[], %(targets)s::bigint[]) as w(user_id, post_id)
    where t.user_id = w.user_id and t.post_id = w.post_id returning t.user_id, t.post_id
), counted as (
    update posts set {counter} = {counter} - n
    from (select post_id, count(*) as n from removed group by post_id) r where id = r.post_id
)
select user_id, post_id as target_id from removed
"""
_HIDE = """
insert into hides (user_id, post_id, created_at)
select * from unnest(%(users)s::bigint[], %(targets)s::bigint[], %(moments)s::timestamptz[])
on conflict do nothing returning user_id, post_id as target_id
"""
_UNHIDE = """
delete from hides h using unnest(%(users)s::bigint[], %(targets)s::bigint[]) as w(user_id, post_id)
where h.user_id = w.user_id and h.post_id = w.post_id returning h.user_id, h.post_id as target_id
"""
_REPORT = """
with added as (
    insert into reports (user_id, post_id, created_at, reason, details)
    select * from unnest(%(users)s::bigint[], %(targets)s::bigint[], %(moments)s::timestamptz[],
                         %(reasons)s::text[], %(details)s::text[])
    on conflict do nothing returning user_id, post_id
), counted as (
    update posts set report_count = report_count + n
    from (select post_id, count(*) as n from added group by post_id) a where id = a.post_id
)
select user_id, post_id as target_id from added
"""
REQUEST_FOLLOW = """
insert into follow_requests (follower_id, followee_id, created_at)
select * from unnest(%(users)s::bigint[], %(targets)s::bigint[], %(moments)s::timestamptz[]) as w(follower, followee)
where not exists (select 1 from follows where follower_id = follower and followee_id = followee)
on conflict do nothing returning follower_id as user_id, followee_id as target_id
"""
_FOLLOW = """
with added as (
    insert into follows (follower_id, followee_id, created_at)
    select * from unnest(%(users)s::bigint[], %(targets)s::bigint[], %(moments)s::timestamptz[])
    on conflict do nothing returning follower_id, followee_id
), answered as (
    delete from follow_requests r using unnest(%(users)s::bigint[], %(targets)s::bigint[]) as w(follower, followee)
    where r.follower_id = w.follower and r.followee_id = w.followee
), counted as (
    update users set
        follower_count = follower_count + (select count(*) from added where followee_id = users.id),
        following_count = following_count + (select count(*) from added where follower_id = users.id)
    where id in (select followee_id from added union select follower_id from added)
)
select follower_id as user_id, followee_id as target_id from added
"""
_UNFOLLOW = """
with removed as (
    delete from follows f using unnest(%(users)s::bigint[], %(targets)s::bigint[]) as w(follower_id, followee_id)
    where f.follower_id = w.follower_id and f.followee_id = w.followee_id returning f.follower_id, f.followee_id
), withdrawn as (
    delete from follow_requests r using unnest(%(users)s::bigint[], %(targets)s::bigint[]) as w(follower, followee)
    where r.follower_id = w.follower and r.followee_id = w.followee
), counted as (
    update users set
        follower_count = follower_count - (select count(*) from removed where followee_id = users.id),
        following_count = following_count - (select count(*) from removed where follower_id = users.id)
    where id in (select followee_id from removed union select follower_id from removed)
)
select follower_id as user_id, followee_id as target_id from removed
"""
_MUTE = """
insert into mutes (muter_id, muted_id) select * from unnest(%(users)s::bigint[], %(targets)s::bigint[])
on conflict do nothing returning muter_id as user_id, muted_id as target_id
"""
_UNMUTE = """
delete from mutes m using unnest(%(users)s::bigint[], %(targets)s::bigint[]) as w(muter_id, muted_id)
where m.muter_id = w.muter_id and m.muted_id = w.muted_id returning m.muter_id as user_id, m.muted_id as target_id
"""
_ADD_COMMENT = """
with added as (
    insert into comments (id, post_id, user_id, body, created_at, event_id, reply_to)
    select * from unnest(%(ids)s::bigint[], %(targets)s::bigint[], %(users)s::bigint[], %(texts)s::text[],
                         %(moments)s::timestamptz[], %(events)s::text[], %(replies)s::bigint[])
    on conflict (event_id) do nothing returning user_id, post_id, event_id
), counted as (
    update posts set comment_count = comment_count + n
    from (select post_id, count(*) as n from added group by post_id) a where id = a.post_id
)
select user_id, event_id as target_id from added
"""

# The statement of each action that changes state. It returns the rows it changed, by `AcceptedAction.state_key`.
STATE_CHANGES: dict[Action, str] = {
    Action.LIKE: _ADD_REACTION.format(table="likes", counter="like_count"),
    Action.UNLIKE: _REMOVE_REACTION.format(table="likes", counter="like_count"),
    Action.SAVE: _ADD_REACTION.format(table="saves", counter="save_count"),
    Action.UNSAVE: _REMOVE_REACTION.format(table="saves", counter="save_count"),
    Action.HIDE: _HIDE,
    Action.UNHIDE: _UNHIDE,
    Action.REPORT: _REPORT,
    Action.FOLLOW: _FOLLOW,
    Action.UNFOLLOW: _UNFOLLOW,
    Action.MUTE: _MUTE,
    Action.UNMUTE: _UNMUTE,
    Action.COMMENT: _ADD_COMMENT,
}
