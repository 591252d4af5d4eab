import { type Signal, signal } from '@preact/signals'
import type { Post, Reactions } from '../api/types'
import type { Showing } from '../engagement/attention'
import { api } from '../session'
import { showError } from '../shell/toasts'

type Likes = Pick<Reactions, 'likedByMe' | 'likeCount'>
type Saves = Pick<Reactions, 'savedByMe' | 'saveCount'>

const known = new Map<string, Signal<Reactions>>()
const underWay = new Set<string>()

/** Likes and saves of a post: one answer for every place on the page that shows it. */
export function reactions(post: Post): Signal<Reactions> {
  let answer = known.get(post.id)
  if (!answer) {
    answer = signal({ ...likesOf(post), ...savesOf(post) })
    known.set(post.id, answer)
  }
  return answer
}

/** Takes the server's newest word over what was known. */
export function learnReactions(posts: Iterable<Post>): void {
  for (const post of posts) reactions(post).value = { ...likesOf(post), ...savesOf(post) }
}

export function forgetReactions(): void {
  known.clear()
}

export function toggleLike(post: Post, showing: Showing): Promise<void> {
  const before = reactions(post).value
  const likedByMe = !before.likedByMe
  const likes = { likedByMe, likeCount: before.likeCount + (likedByMe ? 1 : -1) }
  return change(post, `/posts/${post.id}/like`, likedByMe, likes, likesOf, showing)
}

export function toggleSave(post: Post, showing: Showing): Promise<void> {
  const before = reactions(post).value
  const savedByMe = !before.savedByMe
  const saves = { savedByMe, saveCount: before.saveCount + (savedByMe ? 1 : -1) }
  return change(post, `/posts/${post.id}/save`, savedByMe, saves, savesOf, showing)
}

/**
 * Shows the change at once, then the server's count; takes it back if the server says no.
 *
 * A second press while the first is under way is ignored, so that PUT and DELETE can never overtake each other.
 *
 * @param expected the part of the reactions that changes, as it will be
 * @param partOf takes the same part out of the server's reply
 */
async function change(
  post: Post,
  path: string,
  on: boolean,
  expected: Likes | Saves,
  partOf: (all: Reactions) => Likes | Saves,
  { slateId, position }: Showing,
): Promise<void> {
  if (underWay.has(path)) return
  underWay.add(path)
  const answer = reactions(post)
  const before = partOf(answer.value)
  answer.value = { ...answer.value, ...expected }
  try {
    const said = await (on ? api.put<Reactions>(path, { slateId, position }) : api.delete<Reactions>(path))
    answer.value = { ...answer.value, ...partOf(said) }
  } catch (error) {
    answer.value = { ...answer.value, ...before }
    showError(error)
  } finally {
    underWay.delete(path)
  }
}

function likesOf({ likedByMe, likeCount }: Reactions): Likes {
  return { likedByMe, likeCount }
}

function savesOf({ savedByMe, saveCount }: Reactions): Saves {
  return { savedByMe, saveCount }
}
