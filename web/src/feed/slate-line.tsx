import { developer } from '../settings/developer'
import { words } from '../words'
import { currentSlate } from './feed-pages'
import type { SlateFacts } from './slates'

/** For developers: one line above the feed that names its ranker. */
export function SlateLine() {
  const slate = currentSlate.value
  if (!developer.value) return null
  return <p class="slate-line muted">{slate ? describeSlate(slate) : '\u00a0'}</p>
}

export function describeSlate({
  ranking,
  model,
  exploreShare,
}: Pick<SlateFacts, 'ranking' | 'model' | 'exploreShare'>): string {
  const { byModel, byPopularity, byTime, suggested } = words.slate
  const orders: Record<string, string> = { popularity: byPopularity, recency: byTime }
  const order = model ? byModel(`${model.name} ${model.version}`) : (orders[ranking] ?? ranking)
  const explore = Math.round(exploreShare * 100)
  return explore > 0 ? `${order} · ${suggested(explore)}` : order
}
