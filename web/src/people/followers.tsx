import { useMemo } from 'preact/hooks'
import { Pages } from '../api/pages'
import type { Follower, Page } from '../api/types'
import { paths } from '../router'
import { api } from '../session'
import { InfiniteScroll } from '../shell/infinite-scroll'
import { showError } from '../shell/toasts'
import { Monogram } from './monogram'

/** Who follows me, on my own profile, once I ask; each of them can be let go. */
export function Followers() {
  const followers = useMemo(followersOfMine, [])

  async function remove(person: Follower): Promise<void> {
    try {
      await api.delete<void>(`/me/followers/${person.id}`)
      followers.remove(({ id }) => id === person.id)
    } catch (error) {
      showError(error)
    }
  }

  return (
    <details class="follow-list">
      <summary>Who follows me</summary>
      <ul>
        {followers.items.value.map((person) => (
          <li key={person.id}>
            <Monogram person={person} />
            <a class="name" href={paths.profile(person.id)}>
              {person.displayName}
            </a>
            <button
              type="button"
              class="quiet"
              aria-label={`Remove follower ${person.displayName}`}
              onClick={() => void remove(person)}
            >
              Remove
            </button>
          </li>
        ))}
      </ul>
      <InfiniteScroll pages={followers} waiting={<p class="ending muted">Loading…</p>}>
        {followers.items.value.length === 0 && <p class="ending muted">Nobody yet.</p>}
      </InfiniteScroll>
    </details>
  )
}

function followersOfMine(): Pages<Follower> {
  return new Pages<Follower>((cursor) => {
    const query = new URLSearchParams({ limit: '30', ...(cursor ? { cursor } : {}) })
    return api.get<Page<Follower>>(`/me/followers?${query}`)
  }, showError)
}
