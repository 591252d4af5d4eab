"""What is wrong with a field is told in words for people."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictFloat, StrictStr, StringConstraints, TypeAdapter
from pydantic import ValidationError as WrongValue

from serving.api.fields import HANDLE, SHA256
from serving.api.validation_words import words_for

MOMENT = "must be a time with its UTC offset, such as 2026-11-22T06:31:31Z"
OBJECT = "must be a JSON object"
WHOLE = "must be a whole number"


class Colour(StrEnum):
    RED = "red"


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str


class FromAttributes(BaseModel):
    model_config = ConfigDict(from_attributes=True)


@pytest.mark.parametrize(
    ("kind", "value", "error", "words"),
    [
        (Body, {}, "missing", "is required"),
        (Body, {"name": "a", "age": 1}, "extra_forbidden", "is not a field of this call"),
        (Body, "a", "model_type", OBJECT),
        (FromAttributes, "a", "model_attributes_type", OBJECT),
        (dict[str, int], "a", "dict_type", OBJECT),
        (StrictStr, 1, "string_type", "must be text"),
        (str, b"\xff", "string_unicode", "must be valid Unicode text"),
        (Annotated[str, Field(min_length=2)], "a", "string_too_short", "must have at least 2 characters"),
        (Annotated[str, Field(max_length=2)], "abc", "string_too_long", "must have at most 2 characters"),
        (Annotated[list[int], Field(min_length=2)], [1], "too_short", "must have at least 2 items"),
        (Annotated[list[int], Field(max_length=2)], [1, 2, 3], "too_long", "must have at most 2 items"),
        (list[int], 1, "list_type", "must be a list"),
        (int, None, "int_type", WHOLE),
        (int, "a", "int_parsing", WHOLE),
        (int, "9" * 5_000, "int_parsing_size", WHOLE),
        (int, 1.5, "int_from_float", WHOLE),
        (StrictFloat, "a", "float_type", "must be a number"),
        (float, "a", "float_parsing", "must be a number"),
        (Annotated[float, Field(allow_inf_nan=False)], float("nan"), "finite_number", "must be a finite number"),
        (bool, None, "bool_type", "must be true or false"),
        (bool, "a", "bool_parsing", "must be true or false"),
        (Annotated[int, Field(ge=2)], 1, "greater_than_equal", "must be at least 2"),
        (Annotated[int, Field(le=2)], 3, "less_than_equal", "must be at most 2"),
        (Literal["a", "b"], "c", "literal_error", "must be one of 'a' or 'b'"),
        (Colour, "blue", "enum", "must be one of 'red'"),
        (uuid.UUID, 1, "uuid_type", "must be a UUID"),
        (uuid.UUID, "a", "uuid_parsing", "must be a UUID"),
        (datetime, None, "datetime_type", MOMENT),
        (datetime, "2026-11-22T25:00:00Z", "datetime_from_date_parsing", MOMENT),
        (AwareDatetime, datetime(2026, 11, 22), "timezone_aware", MOMENT),  # noqa: DTZ001  what is refused
        (
            Annotated[str, StringConstraints(pattern=HANDLE)],
            "Ü",
            "string_pattern_mismatch",
            "must have 2 to 30 lower-case letters a to z, digits, dots or underscores",
        ),
        (
            Annotated[str, StringConstraints(pattern=SHA256)],
            "a",
            "string_pattern_mismatch",
            "must be a SHA-256 sum: 64 hexadecimal digits, lower case",
        ),
    ],
)
def test_an_error_is_told_in_words(kind: Any, value: object, error: str, words: str) -> None:
    with pytest.raises(WrongValue) as refused:
        TypeAdapter(kind).validate_python(value)
    (found,) = refused.value.errors()
    assert (found["type"], words_for(found)) == (error, words)


@pytest.mark.parametrize(
    ("error", "words"), [("datetime_parsing", MOMENT), ("datetime_object_invalid", MOMENT), ("other", "is not valid")]
)
def test_errors_that_pydantic_seldom_raises_have_words_too(error: str, words: str) -> None:
    assert words_for({"type": error}) == words


def test_the_words_of_our_own_checks_are_told_as_they_are() -> None:
    assert words_for({"type": "value_error", "msg": "Value error, must be odd"}) == "must be odd"
