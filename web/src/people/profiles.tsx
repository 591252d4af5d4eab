import type { Profile } from 'photofeed-client'
import { Problem } from 'photofeed-client'
import { useEffect, useState } from 'preact/hooks'
import { forgetDeleted } from '../post/gone'
import { api } from '../session'
import { Ending } from '../shell/infinite-scroll'
import { showError } from '../shell/toasts'
import { words } from '../words'
import { learnFollows } from './follows'

/** Profiles that were shown: Back shows them at once, then their current state. */
const known = new Map<string, Profile>()

/** Forgets a profile that has changed, or all: they are those that one account sees. */
export function forgetProfile(handle?: string): void {
  if (handle === undefined) known.clear()
  else known.delete(handle)
}

export interface LoadedProfile {
  person: Profile | null
  state: 'loading' | 'ready' | 'missing' | 'failed'
  /** Loads it again. */
  reload: () => void
}

/** The person with a handle, and whether they are being loaded, do not exist, or could not be loaded. */
export function useProfile(handle: string): LoadedProfile {
  const [person, setPerson] = useState<Profile | null>(known.get(handle) ?? null)
  const [state, setState] = useState<LoadedProfile['state']>('loading')
  const [attempt, setAttempt] = useState(0)

  // Another attempt is another request.
  useEffect(() => {
    const request = new AbortController()
    setState('loading')
    profileOf(handle, request.signal).then(
      (profile) => {
        setPerson(profile)
        setState(profile ? 'ready' : 'missing')
      },
      (error: unknown) => {
        if (request.signal.aborted) return
        setState('failed')
        showError(error)
      },
    )
    return () => request.abort()
  }, [handle, attempt])

  return { person, state, reload: () => setAttempt(attempt + 1) }
}

/** What is shown while there is no profile to show. */
export function ProfileState({ handle, profile }: { handle: string; profile: LoadedProfile }) {
  const { person, state, reload } = profile
  if (state === 'missing') {
    return (
      <div class="ending">
        <h1>{words.profile.unknown(handle)}</h1>
      </div>
    )
  }
  if (person) return null
  if (state === 'failed') return <Ending text={words.profile.failed} action={words.retry} onAction={reload} />
  return <header class="profile" aria-busy="true" />
}

async function profileOf(handle: string, signal: AbortSignal): Promise<Profile | null> {
  try {
    const profile = await api.get<Profile>(`/handles/${encodeURIComponent(handle)}`, { signal })
    learnFollows([profile])
    forgetDeleted()
    known.set(handle, profile)
    return profile
  } catch (error) {
    // 422: no handle looks like this.
    if (error instanceof Problem && (error.status === 404 || error.status === 422)) return null
    throw error
  }
}
