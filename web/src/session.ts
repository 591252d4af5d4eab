import { signal } from '@preact/signals'
import { ApiClient } from './api/client'
import { Problem } from './api/problem'
import type { Page, Person, User } from './api/types'

/** Who looks at the feed. `demo` sessions can mint a new token when theirs runs out. */
export interface Session {
  person: { id: string; handle: string; displayName: string }
  token: string
  demo: boolean
}

const STORAGE_KEY = 'photofeed.session'
const anonymous = new ApiClient()

export const session = signal<Session | null>(remembered())

/** The API as the person of the session sees it. */
export const api = new ApiClient({
  token: () => session.value?.token ?? null,
  renew: async () => {
    const current = session.value
    if (!current?.demo) return false
    remember({ ...current, token: await mintDemoToken(current.person.id) })
    return true
  },
})

/** People the demo offers to look through. Throws a 404 `Problem` where the server is not a demo. */
export async function demoPeople(): Promise<Person[]> {
  return (await anonymous.get<Page<Person>>('/dev/people?limit=200')).items
}

export async function signInAs({ id, handle, displayName }: Person): Promise<void> {
  remember({ person: { id, handle, displayName }, token: await mintDemoToken(id), demo: true })
}

/** Takes a token made elsewhere (`photofeed token --user`) after asking the server whose it is. */
export async function signInWithToken(token: string): Promise<void> {
  const bearer = new ApiClient({ token: () => token, renew: async () => false })
  const { id, handle, displayName } = await bearer.get<User>('/me')
  remember({ person: { id, handle, displayName }, token, demo: false })
}

export function signOut(): void {
  remember(null)
}

async function mintDemoToken(userId: string): Promise<string> {
  try {
    return (await anonymous.post<{ token: string }>('/dev/tokens', { userId })).token
  } catch (error) {
    // The state folder was removed since: the remembered person is nobody now, so choose again.
    if (error instanceof Problem && error.status === 404 && session.value?.person.id === userId) signOut()
    throw error
  }
}

function remember(next: Session | null): void {
  if (next) localStorage.setItem(STORAGE_KEY, JSON.stringify(next))
  else localStorage.removeItem(STORAGE_KEY)
  session.value = next
}

function remembered(): Session | null {
  const stored = localStorage.getItem(STORAGE_KEY)
  return stored ? (JSON.parse(stored) as Session) : null
}
