import type { Person } from 'photofeed-client'
import { keptList } from '../kept-lists'
import { paths } from '../router'
import { api, session } from '../session'
import { showError } from '../shell/toasts'
import { useTitle } from '../title'
import { words } from '../words'
import { PeopleList, peopleList } from './people-list'
import { ProfileState, useProfile } from './profiles'
import { removeFollower } from './remove-follower'

export type Connection = 'followers' | 'following'

/** The followers of a person, or whom they follow. One's own followers can be removed. */
export function ConnectionsPage({ handle, list }: { handle: string; list: Connection }) {
  const profile = useProfile(handle)
  const { person } = profile
  const title = person ? words.connections[list](person.displayName) : `@${handle}`
  useTitle(title)
  return (
    <main class="column people">
      <ProfileState handle={handle} profile={profile} />
      {person && (
        <>
          <h1>{title}</h1>
          <p>
            <a class="link" href={paths.profile(handle)}>
              @{handle}
            </a>
          </p>
          <Connections personId={person.id} list={list} />
        </>
      )}
    </main>
  )
}

function Connections({ personId, list }: { personId: string; list: Connection }) {
  const path = `/users/${personId}/${list}`
  const people = keptList(path, () => peopleList(path))
  const canRemove = list === 'followers' && personId === session.value?.person.id
  const remove = (person: Person) => {
    removeFollower(api, person.id, (isShown) => {
      if (!isShown) people.remove(({ id }) => id === person.id)
      else void people.restart()
    }).catch(showError)
  }
  return (
    <PeopleList
      pages={people}
      empty={words.connections.none}
      {...(canRemove && {
        action: (person: Person) => (
          <button type="button" class="quiet" onClick={() => remove(person)}>
            {words.profile.remove}
            <span class="visually-hidden"> {person.displayName}</span>
          </button>
        ),
      })}
    />
  )
}
