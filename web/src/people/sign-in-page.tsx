import { useEffect, useState } from 'preact/hooks'
import { reporter } from '../engagement/tracking'
import { navigate, parseRoute, paths, route } from '../router'
import {
  type DemoPerson,
  demoPeople,
  providerSignIn,
  session,
  sessionEnded,
  signInAs,
  signInWays,
} from '../session'
import { Ending } from '../shell/infinite-scroll'
import { runWaiting } from '../shell/later'
import { showError } from '../shell/toasts'
import { useTitle } from '../title'
import { words } from '../words'
import { Monogram } from './monogram'
import { TokenForm } from './token-form'

/** Sign-in at the identity provider, as a demo account or with a token. The page that was asked for opens after it. */
export function SignInPage() {
  useTitle(words.signIn.title)
  const ways = signInWays.value
  return (
    <main class="column people">
      <h1>{ways?.demo && !ways.provider ? words.signIn.choose : words.signIn.title}</h1>
      <Reason />
      {ways?.provider && (
        <p class="sign-in-provider">
          <a class="button primary" href={providerSignIn(target())}>
            {words.signIn.provider}
          </a>
        </p>
      )}
      {ways?.demo && <DemoAccounts />}
      {ways && !ways.demo && !ways.provider && <TokenForm onSignedIn={leaveSignIn} />}
    </main>
  )
}

/** Why the user is here: the session ended, or a sign-in failed. */
function Reason() {
  const problem = new URLSearchParams(location.search).get('problem')
  if (route.value.page === 'sign-in' && problem !== null && session.value === null) {
    const text = words.signIn.problems[problem as keyof typeof words.signIn.problems]
    return <p role="alert">{text ?? words.signIn.problems.failed}</p>
  }
  return sessionEnded.value ? <p role="status">{words.signIn.ended}</p> : null
}

function DemoAccounts() {
  const [people, setPeople] = useState<DemoPerson[] | null>(null)
  const [hasFailed, setHasFailed] = useState(false)
  const load = () => {
    setHasFailed(false)
    demoPeople().then(setPeople, (error: unknown) => {
      setHasFailed(true)
      showError(error)
    })
  }
  useEffect(load, [])
  return hasFailed ? (
    <Ending text={words.lists.failed} action={words.retry} onAction={load} />
  ) : (
    <Accounts people={people} />
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
  if (route.value.page === 'sign-in') navigate(target(), { replace: true })
}

/** The page to open after sign-in; a sign-in that failed has kept it in the address. */
function target(): string {
  if (route.value.page !== 'sign-in') return location.pathname + location.search
  const kept = new URLSearchParams(location.search).get('to') ?? ''
  return /^\/(?![/\\])/.test(kept) && parseRoute(kept).page !== 'sign-in' ? kept : paths.feed
}

function matches({ displayName, handle }: DemoPerson, wanted: string): boolean {
  return `${displayName} ${handle}`.toLowerCase().includes(wanted.trim().toLowerCase())
}

function anyOf(people: DemoPerson[]): DemoPerson | undefined {
  return people[Math.floor(Math.random() * people.length)]
}
