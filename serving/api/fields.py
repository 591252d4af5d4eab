"""Field types of requests. Values that PostgreSQL cannot store are refused with a 422 that names the field."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function

from photofeed.errors import InvalidError
from photofeed.ids import EPOCH_MS
from serving.external_ids import MOST_CHARACTERS
from serving.feed.chain import MOST_SHOWN

_IDS_BEGIN = datetime.fromtimestamp(EPOCH_MS / 1000, UTC)
CREATION_TIME = "creation_time"
_CLOCK_SKEW = timedelta(minutes=5)  # clients' clocks are slightly off


HANDLE = "^[a-z0-9_.]{2,30}$"
SHA256 = "^[0-9a-f]{64}$"
ENCODED_ID = "^[0-9A-Za-z]{11}$"

# Characters that show nothing: controls, spaces, and Unicode's Default_Ignorable_Code_Point and blank letters.
_INVISIBLE = (
    r"\u0000-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    r"\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
)
# Characters that turn around the text after them, and controls: in a name they change what stands beside it.
_DISTURBING = r"\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069"
_IS_VISIBLE = re.compile(f"[^{_INVISIBLE}]")
_DISTURBS = re.compile(f"[{_DISTURBING}]")


@dataclass(frozen=True, slots=True)
class _Checked:
    """A check of a text, and the pattern that says the same in the document.

    Put it last among the annotations of a text, so that the length is checked first.
    """

    check: Callable[[str], str]
    pattern: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(
            lambda text: text if text is None else self.check(text), handler(source)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"pattern": self.pattern} | handler(schema)


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("may have no NUL character")  # PostgreSQL cannot store it
    return text


def _visible(text: str) -> str:
    if not _IS_VISIBLE.search(text):
        raise ValueError("must have a character that can be seen")
    return _storable(text)


def _name(text: str) -> str:
    if _DISTURBS.search(text):
        raise ValueError("may have no control characters, and none that turn text around")
    return _visible(text)


def plain_tag(tag: str) -> str:
    """A tag as it is stored: without # and surrounding spaces, in lower case."""
    return tag.strip().lstrip("#").casefold()


def _plain_tags(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tag for tag in map(plain_tag, tags) if tag))


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # the first or last day of the calendar, in another time zone
        raise ValueError("is beyond the calendar") from None


def check_creation(moment: datetime) -> datetime:
    """A creation time that an id can encode: ids start in 2020.

    Raises:
        InvalidError: it is before, or in the future. The document cannot state this, so it has a code of its own.
    """
    if not _IDS_BEGIN <= moment <= datetime.now(UTC) + _CLOCK_SKEW:
        raise InvalidError(f"createdAt must be after {_IDS_BEGIN:%Y-%m-%d}, and not in the future.", code=CREATION_TIME)
    return moment


def _text(value: Any) -> Any:
    if not isinstance(value, str):  # pydantic takes a number for seconds since 1970
        raise ValueError("must be a time such as 2026-05-01T12:00:00Z")  # noqa: TRY004  pydantic reads ValueError
    return value


def _whole_number(value: Any) -> Any:
    if isinstance(value, bool | str):  # pydantic takes true for 1, and "7" for 7
        raise ValueError("must be a whole number")  # noqa: TRY004  pydantic reads ValueError
    return value


STORABLE = _Checked(_storable, r"^[^\u0000]*$")
"""Refuses NUL characters."""
VISIBLE = _Checked(_visible, rf"^[^\u0000]*[^{_INVISIBLE}][^\u0000]*$")
"""Refuses texts that show nothing, and NUL characters."""
NAME = _Checked(_name, rf"^[^{_DISTURBING}]*[^{_DISTURBING}{_INVISIBLE}][^{_DISTURBING}]*$")
"""Refuses texts that show nothing, and characters that change what stands beside a name."""

Moment = Annotated[AwareDatetime, AfterValidator(_in_utc), BeforeValidator(_text)]
"""A time with its UTC offset, converted to UTC."""
WHOLE = BeforeValidator(_whole_number)
"""Refuses booleans and texts for a number. Put it last, so that the document keeps the limits."""

IdPath = Annotated[str, WithJsonSchema({"type": "string", "pattern": ENCODED_ID, "examples": ["15OGRpnNiJv"]})]
"""An id in a path. Any other text is the id of nothing, so it is a 404 and not a 422."""
HandlePath = Annotated[str, WithJsonSchema({"type": "string", "pattern": HANDLE, "examples": ["marta.k"]})]
"""A handle in a path. Any other text is nobody's handle."""
DisplayName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80), NAME]
Caption = Annotated[str, Field(max_length=2200), STORABLE]
AltText = Annotated[
    str, Field(max_length=1000, description="What the photo shows, for people who do not see it"), STORABLE
]
Tag = Annotated[str, Field(min_length=1, max_length=50), STORABLE]
Tags = Annotated[list[Tag], Field(max_length=30), AfterValidator(_plain_tags)]
"""Tags without #, in lower case, each once."""
ExternalId = Annotated[
    str,
    Field(min_length=1, max_length=MOST_CHARACTERS, description="Your own id", examples=["sku-4711"]),
    VISIBLE,
]
EncodedId = Annotated[str, Field(min_length=11, max_length=11)]
SlateId = Annotated[str, Field(min_length=1, max_length=64), STORABLE]
Position = Annotated[int, Field(ge=0, le=MOST_SHOWN), WHOLE]
CommentText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2200), VISIBLE]


Receipt = Annotated[
    str, Field(max_length=100, description="`receipt` of the feed item: proves where the post was shown"), STORABLE
]
_UNPROVED = "Ignored: send `receipt`"


class SlatePosition(BaseModel):
    """Where the viewer acted; optional."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    receipt: Receipt | None = None
    slate_id: Annotated[SlateId | None, Field(description=_UNPROVED, deprecated=True)] = None
    position: Annotated[Position | None, Field(description=_UNPROVED, deprecated=True)] = None
