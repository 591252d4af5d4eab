import { addTo, goneAuthors, removeFrom } from '../post/gone'
import { api } from '../session'
import { confirmed } from '../shell/confirm'
import { showError, showToast } from '../shell/toasts'
import { words } from '../words'
import { learnFollows } from './follows'

interface Named {
  id: string
  displayName: string
}

/** Takes a person's posts out of the feed, with a way back. */
export async function mute(person: Named): Promise<void> {
  addTo(goneAuthors, person.id)
  try {
    await api.put<void>(`/users/${person.id}/mute`)
    showToast(words.person.muted(person.displayName), { label: words.undo, run: () => void unmute(person) })
  } catch (error) {
    removeFrom(goneAuthors, person.id)
    showError(error)
  }
}

/** @returns whether the server did it */
export async function unmute(person: Named): Promise<boolean> {
  try {
    await api.delete<void>(`/users/${person.id}/mute`)
    removeFrom(goneAuthors, person.id)
    showToast(words.person.unmuted(person.displayName))
    return true
  } catch (error) {
    showError(error)
    return false
  }
}

/** Blocks a person after asking: it ends follows in both directions, which cannot be undone. */
export async function block(person: Named): Promise<void> {
  const { blockTitle, blockText, block: yes, blocked } = words.person
  if (!(await confirmed({ title: blockTitle(person.displayName), text: blockText, yes }))) return
  try {
    await api.put<void>(`/users/${person.id}/block`)
    addTo(goneAuthors, person.id)
    learnFollows([{ id: person.id, followedByMe: false }])
    showToast(blocked(person.displayName), { label: words.undo, run: () => void unblock(person) })
  } catch (error) {
    showError(error)
  }
}

/** @returns whether the server did it */
export async function unblock(person: Named): Promise<boolean> {
  try {
    await api.delete<void>(`/users/${person.id}/block`)
    removeFrom(goneAuthors, person.id)
    showToast(words.person.unblocked(person.displayName))
    return true
  } catch (error) {
    showError(error)
    return false
  }
}
