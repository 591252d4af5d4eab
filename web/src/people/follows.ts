import { type Signal, signal } from '@preact/signals'
import { api } from '../session'
import { showError } from '../shell/toasts'

const known = new Map<string, Signal<boolean>>()

interface Followable {
  id: string
  followedByMe: boolean
}

/** Whether I follow this person: one answer for every place on the page that shows them. */
export function followed(person: Followable): Signal<boolean> {
  let answer = known.get(person.id)
  if (!answer) {
    answer = signal(person.followedByMe)
    known.set(person.id, answer)
  }
  return answer
}

/** Takes the server's newest word over what was known. */
export function learnFollows(people: Iterable<Followable>): void {
  for (const person of people) followed(person).value = person.followedByMe
}

/** Follows or unfollows; shows it at once and takes it back if the server says no. */
export async function toggleFollow(person: Followable): Promise<void> {
  const answer = followed(person)
  const wanted = !answer.value
  answer.value = wanted
  try {
    const path = `/users/${person.id}/follow`
    await (wanted ? api.put<void>(path) : api.delete<void>(path))
  } catch (error) {
    answer.value = !wanted
    showError(error)
  }
}

export function forgetFollows(): void {
  known.clear()
}
