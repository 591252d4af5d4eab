import { useId, useState } from 'preact/hooks'
import type { Source } from '../api/types'
import { ChevronIcon } from '../shell/icons'
import type { FeedEntry } from './feed-pages'

/** Said before the reason where a post does not simply come from someone followed. */
const SOURCES: Record<Source, string | null> = {
  following: null,
  celebrity: 'Popular creator',
  explore: 'To discover',
}

/** The line that says why a post is here, and behind it how it got its place. */
export function Why({ entry, onHide }: { entry: FeedEntry; onHide: () => void }) {
  const [isOpen, setIsOpen] = useState(false)
  const panel = useId()
  const { source, reason, score, position, slate } = entry
  return (
    <div class="why">
      <button
        type="button"
        class="why-line muted"
        aria-expanded={isOpen}
        aria-controls={panel}
        onClick={() => setIsOpen(!isOpen)}
      >
        <span class={`source-dot ${source}`} aria-hidden="true" />
        <span>{[SOURCES[source], reason].filter(Boolean).join(' · ')}</span>
        <ChevronIcon />
      </button>
      <div id={panel} hidden={!isOpen} class="why-panel">
        <dl>
          <Fact term="Source" value={source} />
          <Fact term="Place" value={`${position + 1}`} />
          <Fact term="Score" value={score.toFixed(4)} />
          <Fact
            term="Ranked by"
            value={slate.model ? `${slate.model.name} ${slate.model.version}` : slate.ranking}
          />
          {slate.model && <Fact term="Engine" value={slate.model.engine} />}
        </dl>
        <button type="button" class="quiet" onClick={onHide}>
          Show me less of this
        </button>
      </div>
    </div>
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
