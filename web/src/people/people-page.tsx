import { useEffect, useState } from 'preact/hooks'
import { Problem } from '../api/problem'
import type { Person } from '../api/types'
import { reporter } from '../engagement/tracking'
import { paths } from '../router'
import { demoPeople, session, signInAs } from '../session'
import { counted } from '../shell/count'
import { showError } from '../shell/toasts'
import { Monogram } from './monogram'
import { TokenForm } from './token-form'

/** Choose through whose eyes to look: the demo's people, or a token where the server is not a demo. */
export function PeoplePage() {
  const [people, setPeople] = useState<Person[] | null>(null)
  const [isDemo, setIsDemo] = useState(true)
  const [wanted, setWanted] = useState('')

  useEffect(() => {
    demoPeople().then(setPeople, (error: unknown) => {
      if (error instanceof Problem && error.status === 404) setIsDemo(false)
      else showError(error)
    })
  }, [])

  if (!isDemo) return <TokenForm />
  const shown = people?.filter((person) => matches(person, wanted))
  return (
    <main class="column people" id="main">
      <h1>Whose feed is it?</h1>
      <p class="muted">
        Everyone sees another order. Choose a person of the demo; you can switch at any time.
      </p>
      <div class="people-tools">
        <input
          type="search"
          value={wanted}
          onInput={(event) => setWanted(event.currentTarget.value)}
          placeholder="Search by name"
          aria-label="Search people by name"
        />
        <button
          type="button"
          class="quiet"
          disabled={!people?.length}
          onClick={() => void choose(anyOf(people ?? []))}
        >
          Surprise me
        </button>
      </div>
      <ul class="people-list">
        {shown?.map((person) => (
          <li key={person.id}>
            <button
              type="button"
              class="person"
              aria-current={person.id === session.value?.person.id}
              onClick={() => void choose(person)}
            >
              <Monogram person={person} />
              <span>
                <span class="name">{person.displayName}</span>
                <span class="muted">@{person.handle}</span>
              </span>
              <span class="muted person-counts">
                <span>{counted(person.followerCount, 'follower')}</span>
                <span>follows {person.followingCount}</span>
              </span>
            </button>
          </li>
        ))}
      </ul>
      {shown?.length === 0 && <p class="ending muted">Nobody by that name.</p>}
    </main>
  )
}

async function choose(person: Person | undefined): Promise<void> {
  if (!person) return
  try {
    // What was seen so far belongs to the person who saw it.
    await reporter.flush()
    await signInAs(person)
    location.hash = paths.feed
  } catch (error) {
    showError(error)
  }
}

function matches({ displayName, handle }: Person, wanted: string): boolean {
  return `${displayName} ${handle}`.toLowerCase().includes(wanted.trim().toLowerCase())
}

function anyOf(people: Person[]): Person | undefined {
  return people[Math.floor(Math.random() * people.length)]
}
