from pathlib import Path

import redis

from photofeed.embedded.stack import EmbeddedStack


def test_a_full_valkey_lets_go_of_what_expires_soon_and_of_nothing_else(tmp_path: Path) -> None:
    with EmbeddedStack(tmp_path) as stack:
        stack.start(servers=("valkey",))
        with redis.Redis.from_url(stack.settings().redis_url.get_secret_value()) as client:
            client.set("feature", b"kept")
            client.set("remembered", b"kept", ex=86_400)
            used: int = client.info("memory")["used_memory"]
            client.config_set("maxmemory", used + 4_000_000)
            for number in range(400):
                client.set(f"slate:{number}", bytes(34_000), ex=600)
            assert client.info("stats")["evicted_keys"] > 0
            assert client.mget("feature", "remembered", "slate:399") == [b"kept", b"kept", bytes(34_000)]
