import { keptList } from '../kept-lists'
import { PeopleList, peopleList } from '../people/people-list'
import { paths } from '../router'
import { useTitle } from '../title'
import { words } from '../words'

/** Who liked a post, the newest likes first. */
export function LikesPage({ postId }: { postId: string }) {
  const path = `/posts/${postId}/likes`
  const people = keptList(path, () => peopleList(path))
  const { title, none, back } = words.likes
  useTitle(title)
  return (
    <main class="column people">
      <h1>{title}</h1>
      <p>
        <a class="link" href={paths.post(postId)}>
          {back}
        </a>
      </p>
      <PeopleList pages={people} empty={none} />
    </main>
  )
}
