"""Does a feature repo still declare what a served model was trained on, with the same meaning?

A field keeps its name, type, default, half-life and the actions that it counts; a change of any needs another name.
Fields and views may be added, and fields may be declared in another order.
"""

import math
from collections.abc import Iterator, Mapping

from photofeed.features.manifest import FeatureManifest, ManifestView
from photofeed.online_store.schema import FieldSpec


def breaks(needed: FeatureManifest, declared: Mapping[str, FeatureManifest]) -> list[str]:
    """What the services of a repo no longer offer of `needed`, one sentence each; empty if nothing breaks."""
    return [*_gone(needed, declared), *changes(needed, declared)]


def changes(needed: FeatureManifest, declared: Mapping[str, FeatureManifest]) -> list[str]:
    """The fields of `needed` that the services of a repo still have with another meaning, one sentence each."""
    views = _views(declared)
    found: list[str] = []
    for view in needed.views:
        if there := views.get(view.name):
            found += _changes(view, there)
    return found


def _views(declared: Mapping[str, FeatureManifest]) -> dict[str, ManifestView]:
    return {view.name: view for manifest in declared.values() for view in manifest.views}


def _gone(needed: FeatureManifest, declared: Mapping[str, FeatureManifest]) -> Iterator[str]:
    views = _views(declared)
    for view in needed.views:
        if (there := views.get(view.name)) is None:
            yield f"{view.name} is gone"
            continue
        names = {field.name for field in there.schema.fields}
        yield from (f"{view.name}:{field.name} is gone" for field in view.schema.fields if field.name not in names)


def _changes(needed: ManifestView, offered: ManifestView) -> Iterator[str]:
    keys, now = (
        ", ".join(f"{key.name} {key.value_type}" for key in view.schema.join_keys) for view in (needed, offered)
    )
    if keys != now:
        yield f"{needed.name} was keyed by {keys} and is by {now}: use another name"
    fields = {field.name: field for field in offered.schema.fields}
    for field in needed.schema.fields:
        if there := fields.get(field.name):
            for change in _meanings(needed, offered, field, there):
                yield f"{needed.name}:{field.name} {change}: use another name"


def _meanings(needed: ManifestView, offered: ManifestView, before: FieldSpec, now: FieldSpec) -> Iterator[str]:
    if now.value_type != before.value_type:
        yield f"was {before.value_type} and is {now.value_type}"
    elif not _same(before.default, now.default):
        yield f"had the default {before.default} and has {now.default}"
    half_life, there = (view.half_lives.get(before.name) for view in (needed, offered))
    if half_life != there:
        yield f"had a half-life of {_seconds(half_life)} and has one of {_seconds(there)}"
    counted = needed.counts.get(before.name)
    if counted is not None and counted != (counts := offered.counts.get(before.name)):
        yield f"counted {counted!r} and counts {counts!r}"


def _same(one: float | None, other: float | None) -> bool:
    both = one is not None and other is not None and math.isnan(one) and math.isnan(other)
    return both or one == other


def _seconds(half_life: float | None) -> str:
    return "none" if half_life is None else f"{half_life:g} s"
