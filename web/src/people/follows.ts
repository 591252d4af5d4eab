import { type Signal, signal } from '@preact/signals'
import { api } from '../session'
import { showError } from '../shell/toasts'
import { takeBack, whenOnline } from '../shell/when-online'

/** Whether the user follows a person; `requested` while a private account has not answered. */
export type Following = 'no' | 'requested' | 'yes'

export interface Followable {
  id: string
  followedByMe: boolean
  requestedByMe?: boolean
  isPrivate?: boolean
}

const known = new Map<string, Signal<Following>>()
const pending = new Set<string>()

/** Whether the user follows this person: one signal, shared by every component that shows them. */
export function following(person: Followable): Signal<Following> {
  let state = known.get(person.id)
  if (!state) {
    state = signal(stateOf(person))
    known.set(person.id, state)
  }
  return state
}

/** Updates the signals from a reply of the server. */
export function learnFollows(people: Iterable<Followable>): void {
  for (const person of people) following(person).value = stateOf(person)
}

/**
 * Follows or unfollows; shows the change at once, then the server's answer.
 *
 * A press while another is pending is ignored, so that PUT and DELETE cannot overtake each other. One that waits for a
 * network is taken back.
 */
export async function toggleFollow(person: Followable): Promise<void> {
  const path = `/users/${person.id}/follow`
  if (takeBack(path) || pending.has(person.id)) return
  pending.add(person.id)
  const state = following(person)
  const before = state.value
  try {
    if (before === 'no') {
      state.value = person.isPrivate ? 'requested' : 'yes'
      const reply = await whenOnline(path, () => api.put<{ requested: boolean } | undefined>(path))
      state.value = reply?.requested ? 'requested' : 'yes'
    } else {
      state.value = 'no'
      await whenOnline(path, () => api.delete<void>(path))
    }
  } catch (error) {
    state.value = before
    showError(error)
  } finally {
    pending.delete(person.id)
  }
}

export function forgetFollows(): void {
  known.clear()
}

function stateOf(person: Followable): Following {
  if (person.followedByMe) return 'yes'
  return person.requestedByMe ? 'requested' : 'no'
}
