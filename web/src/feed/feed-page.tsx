import { reporter } from '../engagement/tracking'
import { PostCard } from '../post/post-card'
import { paths } from '../router'
import { Ending, InfiniteScroll } from '../shell/infinite-scroll'
import { type FeedEntry, feed } from './feed-pages'
import { Skeleton } from './skeleton'
import { SlateLine } from './slate-line'
import { Why } from './why'

/** How many cards can be in the first screenful. */
const EAGER = 2

export function FeedPage() {
  const entries = feed.items.value
  return (
    <main class="column feed" id="main">
      <h1 class="visually-hidden">Your feed</h1>
      <SlateLine />
      {entries.map((entry, at) => (
        <Entry key={entry.slate.slateId + entry.post.id} entry={entry} eager={at < EAGER} />
      ))}
      {/* The first cards take the skeletons' place: as another element, those do not wander down to the end. */}
      <InfiniteScroll
        key={entries.length === 0 ? 'first' : 'further'}
        pages={feed}
        waiting={<Skeleton count={entries.length === 0 ? 2 : 1} />}
      >
        {entries.length === 0 ? <NothingYet /> : <AllSeen />}
      </InfiniteScroll>
    </main>
  )
}

function Entry({ entry, eager }: { entry: FeedEntry; eager: boolean }) {
  const { post, position, source, slate } = entry
  const showing = { postId: post.id, slateId: slate.slateId, position, source }
  const hide = () => {
    reporter.report({ type: 'hide', ...showing })
    feed.remove((other) => other.post.id === post.id)
  }
  return (
    <PostCard post={post} showing={showing} eager={eager}>
      <Why entry={entry} onHide={hide} />
    </PostCard>
  )
}

function AllSeen() {
  return (
    <Ending
      words="You have seen everything for now."
      action="Rank it again"
      onAction={() => void feed.restart()}
    />
  )
}

function NothingYet() {
  return (
    <div class="ending">
      <p>Nothing to see yet. Follow someone, or upload the first photo.</p>
      <a class="button quiet" href={paths.people}>
        Find people
      </a>
    </div>
  )
}
