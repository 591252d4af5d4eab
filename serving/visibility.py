"""Visibility of posts: one SQL condition, used by every query that returns posts to a viewer."""

# For `users u`, with the parameter `viewer`: neither has blocked the other.
NOT_BLOCKED = """
not exists (
    select 1 from blocks b
    where (b.blocker_id = u.id and b.blocked_id = %(viewer)s) or (b.blocker_id = %(viewer)s and b.blocked_id = u.id))
"""

# For `posts p join users u on u.id = p.author_id`, with the parameter `viewer`: the post is not hidden, neither has
# blocked the other, and posts of a private account are visible to its followers only.
VISIBLE_TO_VIEWER = f"""
p.visible and {NOT_BLOCKED} and (not u.is_private or u.id = %(viewer)s or exists (
    select 1 from follows f where f.follower_id = %(viewer)s and f.followee_id = u.id))
"""  # noqa: S608  constants
