import { useEffect, useState } from 'preact/hooks'
import type { FollowRequest, FollowRequests as Reply } from '../api/types'
import { paths } from '../router'
import { api } from '../session'
import { counted } from '../shell/count'
import { showError } from '../shell/toasts'
import { Monogram } from './monogram'

/** Who asks to follow me, on my own profile; nothing where nobody does. */
export function FollowRequests() {
  const [asking, setAsking] = useState<Reply>({ total: 0, items: [] })

  useEffect(() => {
    api.get<Reply>('/me/follow-requests').then(setAsking, showError)
  }, [])

  async function answer(person: FollowRequest, yes: boolean): Promise<void> {
    const path = `/me/follow-requests/${person.id}`
    try {
      await (yes ? api.put<void>(path) : api.delete<void>(path))
      setAsking(({ total, items }) => ({
        total: total - 1,
        items: items.filter(({ id }) => id !== person.id),
      }))
    } catch (error) {
      showError(error)
    }
  }

  if (asking.items.length === 0) return null
  return (
    <section class="follow-list" aria-label="Follow requests">
      <h2>{counted(asking.total, 'follow request')}</h2>
      <ul>
        {asking.items.map((person) => (
          <li key={person.id}>
            <Monogram person={person} />
            <a class="name" href={paths.profile(person.id)}>
              {person.displayName}
            </a>
            <button type="button" class="primary" onClick={() => void answer(person, true)}>
              Accept
            </button>
            <button type="button" class="quiet" onClick={() => void answer(person, false)}>
              Decline
            </button>
          </li>
        ))}
      </ul>
    </section>
  )
}
