"""The entities of features: users, posts, creators and topics."""

from feast import Entity, ValueType

user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64, description="A person who reads a feed")
post = Entity(name="post", join_keys=["post_id"], value_type=ValueType.INT64, description="A published photo or reel")
creator = Entity(
    name="creator", join_keys=["creator_id"], value_type=ValueType.INT64, description="A person whose posts are shown"
)
topic = Entity(
    name="topic", join_keys=["topic_id"], value_type=ValueType.INT64, description="The subject of a post: its first tag"
)
