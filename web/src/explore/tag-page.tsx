import { keptList } from '../kept-lists'
import { PostGrid } from '../post/post-grid'
import { postList } from '../post/post-lists'
import { useTitle } from '../title'
import { words } from '../words'

/** The newest posts with a tag. */
export function TagPage({ tag }: { tag: string }) {
  useTitle(`#${tag}`)
  const posts = keptList(`#${tag}`, () => postList(`/tags/${encodeURIComponent(tag)}/posts`))
  return (
    <main class="column wide explore">
      <h1>#{tag}</h1>
      <PostGrid
        pages={posts}
        postOf={(post) => post}
        ending={(isEmpty) => isEmpty && <p class="ending muted">{words.explore.nothing(`#${tag}`)}</p>}
      />
    </main>
  )
}
