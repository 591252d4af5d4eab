"""What is wrong with a field, in words for people; the names are those of pydantic's errors."""

from collections.abc import Mapping
from typing import Any

from serving.api.fields import HANDLE, SHA256

_MOMENT = "must be a time with its UTC offset, such as 2026-11-22T06:31:31Z"
_UUID = "must be a UUID"
_INTEGER = "must be a whole number"
_OBJECT = "must be a JSON object"

# Placeholders are the values that pydantic names in the error.
_WORDS: Mapping[str, str] = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this call",
    "string_type": "must be text",
    "string_unicode": "must be valid Unicode text",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "list_type": "must be a list",
    "int_type": _INTEGER,
    "int_parsing": _INTEGER,
    "int_parsing_size": _INTEGER,
    "int_from_float": _INTEGER,
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "uuid_type": _UUID,
    "uuid_parsing": _UUID,
    "datetime_type": _MOMENT,
    "datetime_parsing": _MOMENT,
    "datetime_from_date_parsing": _MOMENT,
    "datetime_object_invalid": _MOMENT,
    "timezone_aware": _MOMENT,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
}

_PATTERNS: Mapping[str, str] = {
    HANDLE: "must have 2 to 30 lower-case letters a to z, digits, dots or underscores",
    SHA256: "must be a SHA-256 sum: 64 hexadecimal digits, lower case",
}


def words_for(error: Mapping[str, Any]) -> str:
    """The sentence for one of pydantic's errors, without the name of the field."""
    if error["type"] == "value_error":  # the words of our own checks
        return str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "string_pattern_mismatch":
        return _PATTERNS[error["ctx"]["pattern"]]
    template = _WORDS.get(error["type"], "is not valid")
    return template.format_map(error.get("ctx", {}))
