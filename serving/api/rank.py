"""Rankings for other products: candidates of a service by its own ids, and our candidates for a person."""

from collections import Counter
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter
from fastapi.responses import Response
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool
from pydantic.alias_generators import to_camel

from photofeed.errors import InvalidError, NotFoundError
from photofeed.experiments import Assignment, Experiments, Ranker
from photofeed.ids import decode_id, encode_id
from photofeed.models.registry import CHAMPION
from photofeed.posts import POST_DTYPE
from serving.api.declared import refuses, returns
from serving.api.fields import EncodedId, ExternalId
from serving.api.idempotency import IdempotentRoute
from serving.api.replies import reply
from serving.api.schemas import RankedItems
from serving.feed.candidates import Candidates
from serving.feed.given import MOST_GIVEN, GivenRanking
from serving.feed.reasons import reason
from serving.feed.source_table import Source
from serving.item_facts import FoundItems, ItemFacts
from serving.services import ServiceCallerDep, Services, ServicesDep

router = APIRouter(route_class=IdempotentRoute, prefix="/v1", tags=["ranking"])

_NAMED = 5  # of the wrong names of a call, so many are told
_MOST_FEATURES = 100
_LARGEST = 1e30  # of a feature: what float32 holds, with room for a model's sums


def _number(value: Any) -> Any:
    if isinstance(value, bool | str):  # pydantic takes true for 1, and "7" for 7
        raise ValueError("must be a number")  # noqa: TRY004  pydantic reads ValueError
    return value


FeatureValue = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST, allow_inf_nan=False), BeforeValidator(_number)]
FeatureValues = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=100)], FeatureValue],
    Field(max_length=_MOST_FEATURES, description="Values that replace stored ones, by the name of the feature"),
]


class NamedById(BaseModel):
    """Somebody or something, by your id or by ours."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    external_id: ExternalId | None = None
    id: Annotated[EncodedId | None, Field(description="Our id, instead of `externalId`")] = None


class PersonName(NamedById):
    """A person, by your id or by ours. One with a new `externalId` is added."""


class GivenCandidate(NamedById):
    """An item, by your id or by ours."""

    features: FeatureValues = {}
    explore: Annotated[
        StrictBool, Field(description="Draw it for one of the explore slots, one in ten, and tell the propensity")
    ] = False


class RankRequest(BaseModel):
    """What to rank, for whom, and by what."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    person: PersonName
    candidates: Annotated[list[GivenCandidate], Field(min_length=1, max_length=MOST_GIVEN)]
    features: Annotated[FeatureValues, Field(description="Of all candidates")] = {}
    limit: Annotated[
        int, Field(ge=1, le=MOST_GIVEN, description="Return the first ones only, which count as served")
    ] = MOST_GIVEN
    ranker: Annotated[Ranker | None, Field(description="Instead of the ranker of the person's experiment")] = None
    version: Annotated[
        str | None, Field(pattern="^[0-9]{1,9}$", description="A loaded version of the model, instead of `ranker`")
    ] = None
    experiment: Annotated[str | None, Field(max_length=63, description="With `arm`, instead of `ranker`")] = None
    arm: Annotated[str | None, Field(max_length=63)] = None


ONE_ID = refuses(HTTPStatus.UNPROCESSABLE_ENTITY, one_id="person: give either externalId or id.")
_REFUSED = refuses(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    one_id="candidates.3: give either externalId or id.",
    duplicate_candidates="Some candidates are given more than once: sku-4711.",
    unknown_feature="No model has a feature named price. Features have the names of the model's contract.",
    one_ranker="Give one of ranker, version, or experiment with arm.",
    version_not_loaded="Version 7 is not loaded; loaded are: 11, 12.",
)
_NOT_FOUND = refuses(
    HTTPStatus.NOT_FOUND,
    user_not_found="There is no user with this id.",
    arm_not_found="There is no arm treatment of an experiment in-may.",
)


@router.post("/rank", responses=returns(RankedItems) | _REFUSED | _NOT_FOUND)
async def rank(body: RankRequest, services: ServicesDep, _: ServiceCallerDep) -> Response:
    """Rank candidates for a person: your items by your own ids, or our posts. Services only.

    The reply has the order with scores, reasons, propensities and receipts, and is logged like a page of a feed: send
    the receipts with the events of the items, so that models learn from them. Items that were never described rank by
    the declared defaults of their features, and are listed in `unknown`. People and items that are new are added.

    Candidates that the person has hidden, that are their own or of people whom they blocked, and those that a rule
    removes are listed in `leftOut`. If the model or the features are away, another ranker takes over, as in feeds:
    `ranking` tells which, and `insteadOf` what was asked for.
    """
    given = services.given
    ranker, assignment = _chosen(body, services)
    stated = {*body.features, *(name for one in body.candidates for name in one.features)}
    given.require_features(stated, assignment.ranker if assignment else ranker or CHAMPION)
    _require_one_ids(body)
    _require_different(body.candidates)
    person = await find_person(services, body.person)
    names = [one.external_id for one in body.candidates if one.external_id is not None]
    own = {one.id: _id_or_zero(one.id) for one in body.candidates if one.id is not None}
    found = await services.item_reader.items(person, names, set(own.values()))
    facts = [_facts(one, own, found) for one in body.candidates]
    _require_different_items(facts)
    rows = [(one, fact) for one, fact in zip(body.candidates, facts, strict=True) if fact is not None]
    ranked = await given.rank(
        person, _columns(rows), _stated(rows, body.features, stated), body.limit, ranker, assignment
    )
    missing = [one for one, fact in zip(body.candidates, facts, strict=True) if fact is None]
    return reply(_ranked_json(ranked, {fact.id: fact for _, fact in rows}, missing))


def _chosen(body: RankRequest, services: Services) -> tuple[str | None, Assignment | None]:
    """The ranker or the arm that the request names; neither if it leaves the choice to the experiments.

    Raises:
        InvalidError: it names several, or a version that is not loaded.
        NotFoundError: there is no such arm.
    """
    has_arm = body.experiment is not None or body.arm is not None
    named = (body.ranker is not None) + (body.version is not None) + has_arm
    if named > 1 or (body.experiment is None) != (body.arm is None):
        raise InvalidError("Give one of ranker, version, or experiment with arm.", code="one_ranker")
    if body.version is not None:
        return services.given.ranker_of_version(body.version), None
    if body.experiment is not None and body.arm is not None:
        return None, _arm(services.given.experiments, body.experiment, body.arm)
    return body.ranker, None


def _arm(experiments: Experiments, name: str, arm: str) -> Assignment:
    for experiment in experiments.experiments:
        for one in experiment.arms:
            if (experiment.name, one.name) == (name, arm):
                return Assignment(name, arm, one.ranker)
    raise NotFoundError(f"There is no arm {arm} of an experiment {name}.", code="arm_not_found")


def _require_one_ids(body: RankRequest) -> None:
    require_one_id("person", body.person)
    for at, one in enumerate(body.candidates):
        require_one_id(f"candidates.{at}", one)


def require_one_id(where: str, named: NamedById) -> None:
    """Check that somebody or something has one id.

    Raises:
        InvalidError: it has none or two; the message says `where`.
    """
    if (named.external_id is None) == (named.id is None):
        raise InvalidError(f"{where}: give either externalId or id.", code="one_id")


def _require_different(candidates: Sequence[GivenCandidate]) -> None:
    names = [one.external_id or one.id or "" for one in candidates]
    if len(set(names)) < len(names):
        raise _duplicates([name for name, given in Counter(names).items() if given > 1])


def _require_different_items(facts: Sequence[ItemFacts | None]) -> None:
    """An item may also be given once by your id and once by ours."""
    ids = [fact.id for fact in facts if fact is not None]
    if len(set(ids)) < len(ids):
        raise _duplicates([encode_id(one) for one, given in Counter(ids).items() if given > 1])


def _duplicates(names: Sequence[str]) -> InvalidError:
    return InvalidError(
        f"Some candidates are given more than once: {', '.join(names[:_NAMED])}.", code="duplicate_candidates"
    )


async def find_person(services: Services, name: PersonName) -> int:
    """The id of a person, who is added if new; 0, which nobody has, for an id of ours that is none.

    Raises:
        NotFoundError: they deleted their account.
    """
    if name.external_id is None:
        return _id_or_zero(name.id or "")
    person = await services.item_reader.person(name.external_id)
    if person is None:
        raise NotFoundError("There is no user with this id.", code="user_not_found")
    return person


def _id_or_zero(text: str) -> int:
    """The decoded id, or 0, which no row has."""
    try:
        return decode_id(text)
    except NotFoundError:
        return 0


def _facts(one: GivenCandidate, own: dict[str, int], found: FoundItems) -> ItemFacts | None:
    return found.by_id.get(own[one.id]) if one.id is not None else found.by_name.get(one.external_id or "")


Rows = Sequence[tuple[GivenCandidate, ItemFacts]]


def _columns(rows: Rows) -> Candidates:
    posts = np.array(
        [(fact.id, fact.author_id, fact.topic_id, fact.perceptual_hash, fact.is_reel) for _, fact in rows], POST_DTYPE
    )
    candidates = Candidates.from_posts(posts, Source.GIVEN)
    candidates.sources[[one.explore for one, _ in rows]] = Source.OFFERED
    return candidates


def _stated(rows: Rows, of_all: dict[str, float], names: set[str]) -> dict[str, NDArray[np.float32]]:
    """Request-time features as columns, NaN where a candidate states none."""
    return {
        name: np.array([one.features.get(name, of_all.get(name, np.nan)) for one, _ in rows], np.float32)
        for name in names
    }


def _ranked_json(
    ranked: GivenRanking, facts: dict[int, ItemFacts], missing: Sequence[GivenCandidate]
) -> dict[str, Any]:
    slate = ranked.slate
    left_out = [_names(facts[post]) | {"reason": why} for post, why in ranked.left_out.items()]
    left_out += [{"externalId": one.external_id, "id": one.id, "reason": "not_found"} for one in missing]
    return {
        "slateId": slate.id,
        "ranking": slate.ranking,
        "insteadOf": slate.instead_of,
        "model": {"name": slate.model_name, "version": slate.model_version, "engine": slate.engine}
        if slate.model_version
        else None,
        "experiment": slate.assignment.experiment if slate.assignment else None,
        "arm": slate.assignment.arm if slate.assignment else None,
        "items": list(_items(ranked, facts)),
        "leftOut": left_out,
        "unknown": [one.external_id for one in facts.values() if not one.is_described],
    }


def _items(ranked: GivenRanking, facts: dict[int, ItemFacts]) -> Iterator[dict[str, Any]]:
    items = ranked.slate.items
    columns = (
        items.post_ids.tolist(),
        items.each_source,
        items.scores.tolist(),
        items.propensities.tolist(),
        items.reasons.tolist(),
        items.disliked.tolist(),
    )
    for position, (receipt, post, source, score, propensity, values, disliked) in enumerate(
        zip(ranked.receipts, *columns, strict=False)  # the first ones have receipts
    ):
        one = facts[post]
        why, name = reason(source, values, one.creator, one.topic, followed=one.is_followed, disliked=disliked)
        yield {
            "position": position,
            **_names(one),
            "score": score,
            "reason": why.sentence + name,
            "reasonCode": why.code,
            "propensity": propensity,
            "receipt": receipt,
        }


def _names(one: ItemFacts) -> dict[str, Any]:
    return {"externalId": one.external_id, "id": encode_id(one.id)}
