from photofeed.settings import Settings
from serving.api import dev
from serving.app import create_app


def _paths(env: str) -> set[str]:
    app = create_app(Settings().model_copy(update={"env": env}))
    return set(app.openapi()["paths"])


def test_development_endpoints_exist_in_development_only() -> None:
    development = {route.path for route in dev.router.routes}  # type: ignore[attr-defined]
    assert len(development) >= 3
    assert development <= _paths("dev")
    assert not development & _paths("production")
