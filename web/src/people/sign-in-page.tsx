import { Problem } from 'photofeed-client'
import { useEffect, useState } from 'preact/hooks'
import { reporter } from '../engagement/tracking'
import { navigate, paths, route } from '../router'
import { type DemoPerson, demoPeople, session, sessionEnded, signInAs } from '../session'
import { Ending } from '../shell/infinite-scroll'
import { runWaiting } from '../shell/later'
import { showError } from '../shell/toasts'
import { useTitle } from '../title'
import { words } from '../words'
import { Monogram } from './monogram'
import { TokenForm } from './token-form'

/** Sign-in: pick a demo account or, on other servers, paste a token. The page that was asked for opens after it. */
export function SignInPage() {
  const [people, setPeople] = useState<DemoPerson[] | null>(null)
  const [state, setState] = useState<'demo' | 'token' | 'failed'>('demo')
  useTitle(words.signIn.title)

  const load = () => {
    setState('demo')
    demoPeople().then(setPeople, (error: unknown) => {
      const isDemo = !(error instanceof Problem && error.status === 404)
      setState(isDemo ? 'failed' : 'token')
      if (isDemo) showError(error)
    })
  }
  useEffect(load, [])

  return (
    <main class="column people">
      <h1>{state === 'token' ? words.signIn.title : words.signIn.choose}</h1>
      {sessionEnded.value && <p role="status">{words.signIn.ended}</p>}
      {state === 'token' && <TokenForm onSignedIn={leaveSignIn} />}
      {state === 'demo' && <Accounts people={people} />}
      {state === 'failed' && <Ending text={words.lists.failed} action={words.retry} onAction={load} />}
    </main>
  )
}

function Accounts({ people }: { people: DemoPerson[] | null }) {
  const [wanted, setWanted] = useState('')
  const shown = people?.filter((person) => matches(person, wanted))
  return (
    <>
      <p class="muted">{words.signIn.chooseHint}</p>
      <div class="people-tools">
        <input
          type="search"
          value={wanted}
          onInput={(event) => setWanted(event.currentTarget.value)}
          placeholder={words.signIn.search}
          aria-label={words.signIn.search}
        />
        <button
          type="button"
          class="quiet"
          disabled={!people?.length}
          onClick={() => void choose(anyOf(people ?? []))}
        >
          {words.signIn.random}
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
                <span>{words.counts.followers(person.followerCount)}</span>
                <span>{words.counts.following(person.followingCount)}</span>
              </span>
            </button>
          </li>
        ))}
      </ul>
      {shown?.length === 0 && <p class="ending muted">{words.signIn.noMatch}</p>}
    </>
  )
}

async function choose(person: DemoPerson | undefined): Promise<void> {
  if (!person) return
  try {
    // What was done so far belongs to the account that is signed in now.
    runWaiting()
    await reporter.flush()
    await signInAs(person)
    leaveSignIn()
  } catch (error) {
    showError(error)
  }
}

/** The address already is the target, except on the sign-in page's own. */
function leaveSignIn(): void {
  if (route.value.page === 'sign-in') navigate(paths.feed, { replace: true })
}

function matches({ displayName, handle }: DemoPerson, wanted: string): boolean {
  return `${displayName} ${handle}`.toLowerCase().includes(wanted.trim().toLowerCase())
}

function anyOf(people: DemoPerson[]): DemoPerson | undefined {
  return people[Math.floor(Math.random() * people.length)]
}
