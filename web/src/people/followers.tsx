import { useMemo, useState } from 'preact/hooks'
import { Pages } from '../api/pages'
import type { Follower, Page } from '../api/types'
import { paths } from '../router'
import { api } from '../session'
import { InfiniteScroll } from '../shell/infinite-scroll'
import { showError } from '../shell/toasts'
import { Monogram } from './monogram'
import { removeFollower } from './remove-follower'

/** Who follows me, on my own profile, once I ask; each of them can be let go. */
export function Followers() {
  const followers = useMemo(followersOfMine, [])
  const people = followers.items.value
  return (
    <details class="follow-list">
      <summary>Who follows me</summary>
      <ul>
        {people.map((person) => (
          <FollowerRow key={person.id} person={person} />
        ))}
      </ul>
      <InfiniteScroll pages={followers} waiting={<p class="ending muted">Loading…</p>}>
        {people.length === 0 && <p class="ending muted">Nobody yet.</p>}
      </InfiniteScroll>
    </details>
  )
}

function FollowerRow({ person }: { person: Follower }) {
  const [followsMe, setFollowsMe] = useState(true)
  if (!followsMe) return null
  return (
    <li>
      <Monogram person={person} />
      <a class="name" href={paths.profile(person.id)}>
        {person.displayName}
      </a>
      <button
        type="button"
        class="quiet"
        aria-label={`Remove follower ${person.displayName}`}
        onClick={() => removeFollower(api, person.id, setFollowsMe).catch(showError)}
      >
        Remove
      </button>
    </li>
  )
}

function followersOfMine(): Pages<Follower> {
  return new Pages<Follower>((cursor) => {
    const query = new URLSearchParams({ limit: '30', ...(cursor ? { cursor } : {}) })
    return api.get<Page<Follower>>(`/me/followers?${query}`)
  }, showError)
}
