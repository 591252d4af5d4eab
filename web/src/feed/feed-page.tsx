import { useState } from 'preact/hooks'
import { goneAuthors, gonePosts, isGone } from '../post/gone'
import { hide } from '../post/post-actions'
import { PostCard } from '../post/post-card'
import { paths } from '../router'
import { Ending, InfiniteScroll } from '../shell/infinite-scroll'
import { useTitle } from '../title'
import { walk } from '../viewer/walk'
import { words } from '../words'
import { feed } from './feed-pages'
import { HiddenNote } from './hidden-note'
import { NewPosts } from './new-posts'
import { Skeleton } from './skeleton'
import { SlateLine } from './slate-line'
import { type FeedEntry, placementOf } from './slates'
import { Why } from './why'

/** The number of cards that may be visible before scrolling. */
const EAGER = 2

/** The ranked feed. It stays mounted while another page is shown, which then names the window. */
export function FeedPage({ isShown }: { isShown: boolean }) {
  const entries = feed.items.value
  return (
    <main class="column feed">
      {isShown && <Title />}
      <h1 class="visually-hidden">{words.feed.title}</h1>
      <NewPosts />
      <SlateLine />
      {entries.map((entry, at) => (
        <Entry key={entry.slate.slateId + entry.post.id} entry={entry} eager={at < EAGER} />
      ))}
      {/* The key changes with the first cards: they replace the skeletons instead of pushing them down. */}
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

function Title() {
  useTitle(null)
  return null
}

function Entry({ entry, eager }: { entry: FeedEntry; eager: boolean }) {
  const { post } = entry
  const placement = placementOf(entry)
  const [wasHiddenHere, setWasHiddenHere] = useState(false)
  const [showsWhy, setShowsWhy] = useState(false)
  if (goneAuthors.value.has(post.author.id)) return null
  if (gonePosts.value.has(post.id)) {
    return wasHiddenHere ? <HiddenNote post={post} /> : null
  }
  return (
    <PostCard
      post={post}
      placement={placement}
      eager={eager}
      onOpen={walkAlongFeed}
      onWhy={() => setShowsWhy(true)}
      onHide={() => {
        setWasHiddenHere(true)
        void hide(post, placement)
      }}
    >
      <Why entry={entry} isOpen={showsWhy} onToggle={() => setShowsWhy(!showsWhy)} />
    </PostCard>
  )
}

function walkAlongFeed(): void {
  walk.value = {
    posts: () => feed.items.value.map(({ post }) => post).filter((post) => !isGone(post)),
    more: () => void feed.more(),
    placement: (post) => {
      const entry = feed.items.value.find((candidate) => candidate.post.id === post.id)
      return entry ? placementOf(entry) : { postId: post.id }
    },
  }
}

function AllSeen() {
  return <Ending text={words.feed.allSeen} action={words.feed.reload} onAction={() => void feed.restart()} />
}

function NothingYet() {
  return (
    <div class="ending">
      <p>{words.feed.empty}</p>
      <a class="button quiet" href={paths.explore}>
        {words.feed.explore}
      </a>
    </div>
  )
}
