import { useEffect } from 'preact/hooks'
import { keptList } from '../kept-lists'
import { PostGrid } from '../post/post-grid'
import { postList } from '../post/post-lists'
import { scrollOfEntry } from '../router'
import { session } from '../session'
import { useTitle } from '../title'
import { words } from '../words'
import { OwnTabs } from './own-tabs'

export type OwnList = 'saved' | 'liked'

const PATHS: Record<OwnList, string> = { saved: '/me/saved', liked: '/me/likes' }

/** The posts that the user saved or liked, the last one first; only the user sees them. */
export function OwnListPage({ list }: { list: OwnList }) {
  const handle = session.value?.person.handle ?? ''
  const posts = keptList(PATHS[list], () => postList(PATHS[list]))
  const { [list]: title, hints, empty } = words.ownLists
  useTitle(title)
  // A new visit shows what was saved or liked meanwhile; Back shows the list as it was.
  useEffect(() => {
    if (scrollOfEntry() === 0 && posts.items.value.length > 0) void posts.restart()
  }, [posts])
  return (
    <main class="column wide explore">
      <h1>{title}</h1>
      <p class="muted">{hints[list]}</p>
      <OwnTabs handle={handle} />
      <PostGrid
        pages={posts}
        postOf={(post) => post}
        ending={(isEmpty) => isEmpty && <p class="ending muted">{empty[list]}</p>}
      />
    </main>
  )
}
