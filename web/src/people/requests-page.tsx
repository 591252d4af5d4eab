import { signal } from '@preact/signals'
import type { FollowRequest, FollowRequests } from 'photofeed-client'
import { useEffect, useState } from 'preact/hooks'
import { api, session } from '../session'
import { showError } from '../shell/toasts'
import { useTitle } from '../title'
import { words } from '../words'
import { OwnTabs } from './own-tabs'
import { PersonRow } from './people-list'
import { forgetProfile } from './profiles'
import { requestCount } from './request-count'

const requests = signal<readonly FollowRequest[]>([])

/** People who ask to follow the user's private account. */
export function RequestsPage() {
  const [isLoaded, setIsLoaded] = useState(false)
  const { title, none } = words.requests
  useTitle(title)
  useEffect(() => {
    api.get<FollowRequests>('/me/follow-requests?limit=100').then(({ total, items }) => {
      requests.value = items
      requestCount.value = total
      setIsLoaded(true)
    }, showError)
  }, [])

  return (
    <main class="column wide people" aria-busy={!isLoaded}>
      <h1>{title}</h1>
      <OwnTabs handle={session.value?.person.handle ?? ''} />
      <ul class="people-rows">
        {requests.value.map((person) => (
          <li key={person.id}>
            <PersonRow person={person} />
            <Answers person={person} />
          </li>
        ))}
      </ul>
      {isLoaded && requests.value.length === 0 && <p class="ending muted">{none}</p>}
    </main>
  )
}

function Answers({ person }: { person: FollowRequest }) {
  const name = <span class="visually-hidden"> {person.displayName}</span>
  return (
    <span class="answers">
      <button type="button" class="primary" onClick={() => void answer(person, true)}>
        {words.requests.accept}
        {name}
      </button>
      <button type="button" class="quiet" onClick={() => void answer(person, false)}>
        {words.requests.decline}
        {name}
      </button>
    </span>
  )
}

async function answer(person: FollowRequest, accept: boolean): Promise<void> {
  const path = `/me/follow-requests/${person.id}`
  try {
    await (accept ? api.put<void>(path) : api.delete<void>(path))
    requests.value = requests.value.filter(({ id }) => id !== person.id)
    requestCount.value = Math.max(0, requestCount.value - 1)
    // The user may have one more follower.
    forgetProfile(session.value?.person.handle)
  } catch (error) {
    showError(error)
  }
}
