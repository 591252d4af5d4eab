"""The page of settings."""

from enum import Enum
from typing import Any, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from photofeed.settings import DEV_SECRET, Settings
from tools.reference.markdown import code, generated, table

_ABOUT = """Every process reads these environment variables once, when it starts. The embedded stack
writes those of its servers into `stack.env` of its state folder; variables of the environment win.
Secrets with the default of development are refused unless `PHOTOFEED_ENV=dev`."""


def page() -> str:
    """All settings: variable, type, default and meaning."""
    rows = [
        (code(variable(name)), _type(field.annotation), _default(field), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    head = generated("Settings", "`photofeed/settings.py`", _ABOUT)
    return f"{head}\n{table(('variable', 'type', 'default', 'meaning'), rows)}"


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"PHOTOFEED_{name.upper()}"


def _type(annotation: Any) -> str:
    if get_origin(annotation) is not None and str(get_origin(annotation)).endswith("Literal"):
        return " or ".join(code(value) for value in get_args(annotation))
    choices = [one for one in get_args(annotation) if one is not type(None)]
    if get_origin(annotation) in (tuple, frozenset, list, set):
        return "JSON list"
    if choices:
        return " or ".join(_type(one) for one in choices)
    names = {SecretStr: "secret", str: "text", bool: "true or false", int: "integer", float: "number"}
    return names.get(annotation, "path")


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "packaged"
    value = field.default
    if value is PydanticUndefined:
        return "required"
    if value is None or value == "":
        return "unset"
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        return code(secret) if "://" in secret else f"{code(DEV_SECRET)}, in development only"
    if isinstance(value, (tuple, frozenset)):
        return code("[" + ", ".join(sorted(f'"{one}"' for one in value)) + "]")
    return code(value.value if isinstance(value, Enum) else str(value).lower() if isinstance(value, bool) else value)
