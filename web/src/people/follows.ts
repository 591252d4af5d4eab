import { type Signal, signal } from '@preact/signals'
import { api } from '../session'
import { showError } from '../shell/toasts'

/** Whether I follow somebody; a private account is asked first. */
export type Following = 'no' | 'asked' | 'yes'

export interface Followable {
  id: string
  followedByMe: boolean
  requestedByMe?: boolean
  isPrivate?: boolean
}

const known = new Map<string, Signal<Following>>()
const underWay = new Set<string>()

/** Whether I follow this person: one answer for every place on the page that shows them. */
export function following(person: Followable): Signal<Following> {
  let answer = known.get(person.id)
  if (!answer) {
    answer = signal(told(person))
    known.set(person.id, answer)
  }
  return answer
}

/** Takes the server's newest word over what was known. */
export function learnFollows(people: Iterable<Followable>): void {
  for (const person of people) following(person).value = told(person)
}

/**
 * Follows, or takes that back; shows it at once, and then what the server made of it.
 *
 * A second press while the first is under way is ignored, so that PUT and DELETE can never overtake each other.
 */
export async function toggleFollow(person: Followable): Promise<void> {
  if (underWay.has(person.id)) return
  underWay.add(person.id)
  const answer = following(person)
  const before = answer.value
  const path = `/users/${person.id}/follow`
  try {
    if (before === 'no') {
      answer.value = person.isPrivate ? 'asked' : 'yes'
      const reply = await api.put<{ requested: boolean } | undefined>(path)
      answer.value = reply?.requested ? 'asked' : 'yes'
    } else {
      answer.value = 'no'
      await api.delete<void>(path)
    }
  } catch (error) {
    answer.value = before
    showError(error)
  } finally {
    underWay.delete(person.id)
  }
}

export function forgetFollows(): void {
  known.clear()
}

function told(person: Followable): Following {
  if (person.followedByMe) return 'yes'
  return person.requestedByMe ? 'asked' : 'no'
}
