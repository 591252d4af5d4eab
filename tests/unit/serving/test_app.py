from photofeed.settings import Settings
from serving.api import dev
from serving.api.admission import Admission
from serving.app import create_app


def _paths(env: str) -> set[str]:
    app = create_app(Settings().model_copy(update={"env": env}))
    return set(app.openapi()["paths"])


def test_development_endpoints_exist_in_development_only() -> None:
    development = {route.path for route in dev.router.routes}  # type: ignore[attr-defined]
    assert len(development) >= 3
    assert development <= _paths("dev")
    assert not development & _paths("production")


def test_the_limit_of_requests_is_that_of_the_settings() -> None:
    app = create_app(Settings().model_copy(update={"requests_per_process": 7}))
    layers = {str(one.cls): one.kwargs for one in app.user_middleware}
    assert layers[str(Admission)] == {"most": 7}
