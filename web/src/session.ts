import { signal } from '@preact/signals'
import type { Page, Person, SessionReply, User } from 'photofeed-client'
import { ApiClient } from 'photofeed-client'

import { texts } from './texts'

/** The signed-in user. Who it is stands in a cookie that scripts cannot read; this is what the server says of it. */
export interface Session {
  person: Pick<Person, 'id' | 'handle' | 'displayName' | 'avatarUrl'>
  roles: readonly string[]
}

/** An account of the demo, for the sign-in page. */
export type DemoPerson = Person & Pick<User, 'followerCount' | 'followingCount'>

/** The server takes a cookie only with a header that other sites cannot send (serving/session_cookies.py). */
const headers = { 'x-photofeed-app': 'web' }
/** Where versions until 0.2 kept a token, in reach of every script. */
const FORMER_STORAGE_KEY = 'photofeed.session'

const anonymous = new ApiClient({ texts, headers })

export const session = signal<Session | null>(null)
/** How people can sign in; null until the server has said it. */
export const signInWays = signal<SessionReply['signIn'] | null>(null)
/** Whether the last session was ended by the server, not by the user. */
export const sessionEnded = signal(false)

/** The API client of the signed-in user. */
export const api = new ApiClient({
  credentials: { token: () => null, renew: isStillSignedIn },
  headers,
  texts,
})

/** Asks the server who is signed in. Throws a `Problem` if it does not answer. */
export async function loadSession(): Promise<void> {
  localStorage.removeItem(FORMER_STORAGE_KEY)
  take(await anonymous.get<SessionReply>('/session'))
}

let asking: Promise<boolean> | null = null

/**
 * After a request was refused: whether to send it again, since the same person is signed in. Otherwise the session has
 * ended. Requests that fail together ask once.
 */
async function isStillSignedIn(): Promise<boolean> {
  const before = session.value?.person.id
  if (before === undefined) return false
  asking ??= anonymous
    .get<SessionReply>('/session')
    .then((reply) => {
      const isSame = reply.person?.id === before
      if (!isSame && session.value?.person.id === before) {
        take(reply)
        sessionEnded.value = session.value === null
      }
      return isSame
    })
    .finally(() => {
      asking = null
    })
  return asking
}

/** The demo accounts. */
export async function demoPeople(): Promise<DemoPerson[]> {
  return (await anonymous.get<Page<DemoPerson>>('/dev/people?limit=500')).items
}

export async function signInAs({ id }: Pick<Person, 'id'>): Promise<void> {
  const { token } = await anonymous.post<{ token: string }>('/dev/tokens', { userId: id })
  await signInWithToken(token)
}

/** Exchanges a token minted elsewhere (`photofeed token --user`) for a session. */
export async function signInWithToken(token: string): Promise<void> {
  const bearer = new ApiClient({ credentials: token, headers, texts })
  take(await bearer.post<SessionReply>('/session'))
}

/** The address at which the browser signs in at the identity provider, to come back to a page of this app. */
export function providerSignIn(target: string): string {
  return `/v1/session/sign-in?${new URLSearchParams({ to: target })}`
}

/** Takes over the name and the picture of the signed-in user. */
export function learnOwnLook({ displayName, avatarUrl }: Pick<User, 'displayName' | 'avatarUrl'>): void {
  const current = session.value
  if (current) session.value = { ...current, person: { ...current.person, displayName, avatarUrl } }
}

/** Whether the signed-in user may moderate; the server checks it by itself. */
export function isModerator(): boolean {
  return session.value?.roles.includes('moderator') ?? false
}

/** Whether the signed-in user runs photofeed; the server checks it by itself. */
export function isAdmin(): boolean {
  return session.value?.roles.includes('admin') ?? false
}

/** Ends the session. @returns the page of the identity provider that ends the session there, if it has one */
export async function signOut(): Promise<string | null> {
  const { providerUrl } = await anonymous.delete<{ providerUrl: string | null }>('/session')
  sessionEnded.value = false
  session.value = null
  return providerUrl
}

function take({ person, roles, signIn }: SessionReply): void {
  signInWays.value = signIn
  sessionEnded.value = false
  session.value = person && { person, roles }
}
