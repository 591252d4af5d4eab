import type { Post } from 'photofeed-client'
import type { ComponentChildren } from 'preact'
import { useRef } from 'preact/hooks'
import type { Pages } from '../api/pages'
import type { Placement } from '../engagement/attention'
import { useAttention } from '../engagement/tracking'
import { Photo } from '../photo/photo'
import { paths } from '../router'
import { InfiniteScroll } from '../shell/infinite-scroll'
import { walk } from '../viewer/walk'
import { words } from '../words'
import { describe } from './describe'
import { isGone } from './gone'
import { ReelBadge } from './reel-badge'

/** The number of tiles that may be visible before scrolling. */
const EAGER = 6

interface PostGridProps<T> {
  pages: Pages<T>
  postOf: (item: T) => Post
  /** Where an item is shown in its slate; grids of other lists count no impressions. */
  placementOf?: (item: T) => Placement
  /** Shown when the list is complete; `isEmpty` if it has no posts. */
  ending: (isEmpty: boolean) => ComponentChildren
}

/** Square tiles of posts, page by page. A tile opens its post, and the viewer walks along the grid. */
export function PostGrid<T>({ pages, postOf, placementOf, ending }: PostGridProps<T>) {
  const items = pages.items.value.filter((item) => !isGone(postOf(item)))
  const open = () => {
    walk.value = {
      posts: () => pages.items.value.map(postOf).filter((post) => !isGone(post)),
      more: () => void pages.more(),
      placement: (post) => {
        const item = pages.items.value.find((candidate) => postOf(candidate).id === post.id)
        return item && placementOf ? placementOf(item) : { postId: post.id }
      },
    }
  }
  return (
    <>
      <ul class="grid">
        {items.map((item, at) => {
          const post = postOf(item)
          return (
            <li key={post.id}>
              <Tile post={post} placement={placementOf?.(item) ?? null} eager={at < EAGER} onOpen={open} />
            </li>
          )
        })}
      </ul>
      {/* The key changes with the first tiles: the message is replaced instead of pushed down. */}
      <InfiniteScroll
        key={items.length === 0 ? 'first' : 'further'}
        pages={pages}
        waiting={<p class="ending muted">{words.loading}</p>}
      >
        {ending(items.length === 0)}
      </InfiniteScroll>
    </>
  )
}

interface TileProps {
  post: Post
  placement: Placement | null
  eager: boolean
  onOpen: () => void
}

function Tile({ post, placement, eager, onOpen }: TileProps) {
  const link = useRef<HTMLAnchorElement>(null)
  useAttention(link, placement)
  return (
    <a ref={link} href={paths.post(post.id)} onClick={onOpen}>
      <Photo
        picture={post}
        alt={describe(post)}
        edges={[150, 320, 640]}
        narrow="33vw"
        wide="300px"
        ratio={1}
        eager={eager}
      />
      <ReelBadge post={post} />
    </a>
  )
}
