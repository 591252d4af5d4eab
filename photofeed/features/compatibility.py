"""Whether a feature repo still gives a served model what it was trained on: names, types, join keys and half-lives."""

from collections.abc import Iterator, Mapping

from photofeed.features.manifest import FeatureManifest, ManifestView


def breaks(needed: FeatureManifest, declared: Mapping[str, FeatureManifest]) -> list[str]:
    """What of `needed` the services of a repo no longer have, one sentence each; empty: nothing breaks."""
    if needed.service not in declared:
        return [f"service {needed.service} is gone"]
    views = {view.name: view for view in declared[needed.service].views}
    found: list[str] = []
    for view in needed.views:
        there = views.get(view.name)
        found += [f"{view.name} is gone"] if there is None else _changes(view, there)
    return found


def new_layouts(needed: FeatureManifest, declared: Mapping[str, FeatureManifest]) -> list[str]:
    """Of `needed`, which nothing breaks: views whose rows are packed otherwise now, as where a feature was added."""
    now = {view.name: view.schema.hash for view in declared[needed.service].views}
    return [view.name for view in needed.views if now[view.name] != view.schema.hash]


def _changes(needed: ManifestView, offered: ManifestView) -> Iterator[str]:
    keys, now = (
        ", ".join(f"{key.name} {key.value_type}" for key in view.schema.join_keys) for view in (needed, offered)
    )
    if keys != now:
        yield f"{needed.name} was keyed by {keys} and is by {now}"
    fields = {field.name: field for field in offered.schema.fields}
    for field in needed.schema.fields:
        there = fields.get(field.name)
        name = f"{needed.name}:{field.name}"
        before, after = (view.half_lives.get(field.name) for view in (needed, offered))
        if there is None:
            yield f"{name} is gone"
        elif there.value_type != field.value_type:
            yield f"{name} was {field.value_type} and is {there.value_type}"
        elif before != after:
            yield f"{name} had a half-life of {_seconds(before)} and has one of {_seconds(after)}: use another name"


def _seconds(half_life: float | None) -> str:
    return "none" if half_life is None else f"{half_life:g} s"
