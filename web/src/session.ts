import { signal } from '@preact/signals'
import type { Page, Person, User } from 'photofeed-client'
import { ApiClient, Problem } from 'photofeed-client'

import { texts } from './texts'

/** The signed-in user. `demo` sessions can mint a new token when theirs expires. */
export interface Session {
  person: Pick<Person, 'id' | 'handle' | 'displayName' | 'avatarUrl'>
  token: string
  demo: boolean
}

const STORAGE_KEY = 'photofeed.session'
/** An account of the demo, for the sign-in page. */
export type DemoPerson = Person & Pick<User, 'followerCount' | 'followingCount'>

const anonymous = new ApiClient({ texts })

export const session = signal<Session | null>(load())
/** Whether the last session was ended by the server, not by the user. */
export const sessionEnded = signal(false)

/** The API client of the signed-in user. */
export const api = new ApiClient({
  credentials: { token: () => session.value?.token ?? null, renew },
  texts,
})

let renewing: Promise<boolean> | null = null

/**
 * Replaces a token that the server refused. Demo sessions get a new token; any other session ends.
 *
 * Requests that fail together renew the token once.
 */
async function renew(refused: string | null): Promise<boolean> {
  const current = session.value
  if (!current) return false
  if (current.token !== refused) return true
  if (!current.demo) {
    endSession()
    return false
  }
  renewing ??= mintDemoToken(current.person.id)
    .then((token) => {
      save({ ...current, token })
      return true
    })
    .finally(() => {
      renewing = null
    })
  return renewing
}

/** The demo accounts. Throws a 404 `Problem` if the server is not a demo. */
export async function demoPeople(): Promise<DemoPerson[]> {
  return (await anonymous.get<Page<DemoPerson>>('/dev/people?limit=500')).items
}

export async function signInAs({ id, handle, displayName, avatarUrl }: Person): Promise<void> {
  save({ person: { id, handle, displayName, avatarUrl }, token: await mintDemoToken(id), demo: true })
}

/** Signs in with a token minted elsewhere (`photofeed token --user`), after the server has verified it. */
export async function signInWithToken(token: string): Promise<void> {
  const bearer = new ApiClient({ credentials: token, texts })
  const { id, handle, displayName, avatarUrl } = await bearer.get<User>('/me')
  save({ person: { id, handle, displayName, avatarUrl }, token, demo: false })
}

/** Takes over the name and the picture of the signed-in user. */
export function learnOwnLook({ displayName, avatarUrl }: Pick<User, 'displayName' | 'avatarUrl'>): void {
  const current = session.value
  if (current) save({ ...current, person: { ...current.person, displayName, avatarUrl } })
}

/** Whether the signed-in user may moderate, as the token says; the server checks it by itself. */
export function isModerator(): boolean {
  const [, payload = ''] = session.value?.token.split('.') ?? []
  try {
    const claims = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))) as { scope?: unknown }
    return typeof claims.scope === 'string' && claims.scope.split(' ').includes('moderator')
  } catch {
    // Not every token is a JWT with a scope that this app can read.
    return false
  }
}

export function signOut(): void {
  save(null)
}

function endSession(): void {
  save(null)
  sessionEnded.value = true
}

async function mintDemoToken(userId: string): Promise<string> {
  try {
    return (await anonymous.post<{ token: string }>('/dev/tokens', { userId })).token
  } catch (error) {
    // The server's data was deleted and the stored account no longer exists.
    if (error instanceof Problem && error.status === 404 && session.value?.person.id === userId) endSession()
    throw error
  }
}

function save(next: Session | null): void {
  if (next) localStorage.setItem(STORAGE_KEY, JSON.stringify(next))
  else localStorage.removeItem(STORAGE_KEY)
  sessionEnded.value = false
  session.value = next
}

/** The stored session. One that this version cannot read is ignored. */
function load(): Session | null {
  try {
    const stored = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? 'null') as Session | null
    return typeof stored?.token === 'string' && typeof stored.person?.handle === 'string' ? stored : null
  } catch {
    return null
  }
}
