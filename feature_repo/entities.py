"""Whom and what features are about."""

from feast import Entity, ValueType

user = Entity(
    name="user", join_keys=["user_id"], value_type=ValueType.INT64, description="A person who looks at a feed"
)
post = Entity(name="post", join_keys=["post_id"], value_type=ValueType.INT64, description="A photo that was posted")
creator = Entity(
    name="creator", join_keys=["creator_id"], value_type=ValueType.INT64, description="A person whose posts are shown"
)
topic = Entity(
    name="topic", join_keys=["topic_id"], value_type=ValueType.INT64, description="What a post is about: its first tag"
)
