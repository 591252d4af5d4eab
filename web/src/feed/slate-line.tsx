import { currentSlate, type SlateFacts } from './feed-pages'

/** One quiet line above the feed: what decided its order. */
export function SlateLine() {
  const slate = currentSlate.value
  if (!slate) return <p class="slate-line muted">&nbsp;</p>
  return <p class="slate-line muted">{describeSlate(slate)}</p>
}

export function describeSlate({
  ranking,
  model,
  exploreShare,
}: Pick<SlateFacts, 'ranking' | 'model' | 'exploreShare'>): string {
  const order = {
    model: model ? `Ranked by ${model.name} version ${model.version}` : 'Ranked for you',
    popularity: 'Most loved first, as no model answers',
    recency: 'Newest first, as no model answers',
  }[ranking]
  const explore = Math.round(exploreShare * 100)
  return explore > 0 ? `${order} · ${explore} % to discover` : order
}
