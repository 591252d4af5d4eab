import type { Post, Source } from 'photofeed-client'
import { useId } from 'preact/hooks'
import { developer } from '../settings/developer'
import { ChevronIcon } from '../shell/icons'
import { words } from '../words'
import type { FeedEntry } from './slates'

interface WhyProps {
  entry: FeedEntry
  isOpen: boolean
  onToggle: () => void
}

/** The reason for a post and, on demand, where posts like it come from; numbers only for developers. */
export function Why({ entry, isOpen, onToggle }: WhyProps) {
  const panel = useId()
  const { source, post } = entry
  const label = words.why.sources[source]
  return (
    <div class="why">
      <button
        type="button"
        class="why-line muted"
        aria-expanded={isOpen}
        aria-controls={panel}
        onClick={onToggle}
      >
        <span class={`source-dot ${source}`} aria-hidden="true" />
        <span>{[label, plainReason(entry)].filter(Boolean).join(' · ')}</span>
        <ChevronIcon />
      </button>
      <div id={panel} hidden={!isOpen} class="why-panel">
        <p>{explanation(source, post)}</p>
        {developer.value && <RankingFacts entry={entry} />}
      </div>
    </div>
  )
}

/** The reason in the user's language; it names the author as the card does. */
export function plainReason({ reasonCode, post }: FeedEntry): string {
  return words.why.reasons[reasonCode](post.author.displayName, post.topic)
}

function explanation(source: Source, { author }: Post): string {
  return words.why.explanations[source](author.displayName)
}

function RankingFacts({ entry: { source, position, score, slate } }: { entry: FeedEntry }) {
  const { facts } = words.why
  return (
    <dl>
      <Fact term={facts.source} value={source} />
      <Fact term={facts.position} value={`${position + 1}`} />
      <Fact term={facts.score} value={score?.toFixed(4) ?? '–'} />
      <Fact
        term={facts.ranker}
        value={slate.model ? `${slate.model.name} ${slate.model.version}` : slate.ranking}
      />
      {slate.model && <Fact term={facts.engine} value={slate.model.engine} />}
    </dl>
  )
}

function Fact({ term, value }: { term: string; value: string }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{value}</dd>
    </div>
  )
}
