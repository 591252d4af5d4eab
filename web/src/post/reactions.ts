import { type Signal, signal } from '@preact/signals'
import type { Post } from 'photofeed-client'
import type { Placement } from '../engagement/attention'
import { api } from '../session'
import { showError } from '../shell/toasts'
import { takeBack, whenOnline } from '../shell/when-online'

type Reactions = Pick<Post, 'likedByMe' | 'likeCount' | 'savedByMe' | 'saveCount'>
type Likes = Pick<Reactions, 'likedByMe' | 'likeCount'>
type Saves = Pick<Reactions, 'savedByMe' | 'saveCount'>

const known = new Map<string, Signal<Reactions>>()
const pending = new Set<string>()

/** Likes and saves of a post: one signal, shared by every component that shows it. */
export function reactions(post: Post): Signal<Reactions> {
  let state = known.get(post.id)
  if (!state) {
    state = signal({ ...likesOf(post), ...savesOf(post) })
    known.set(post.id, state)
  }
  return state
}

/** Updates the signals from a reply of the server. */
export function learnReactions(posts: Iterable<Post>): void {
  for (const post of posts) reactions(post).value = { ...likesOf(post), ...savesOf(post) }
}

export function forgetReactions(): void {
  known.clear()
}

export function toggleLike(post: Post, placement: Placement): Promise<void> {
  const before = reactions(post).value
  const likedByMe = !before.likedByMe
  const likes = { likedByMe, likeCount: before.likeCount + (likedByMe ? 1 : -1) }
  return change(post, `/posts/${post.id}/like`, likedByMe, likes, likesOf, placement)
}

export function toggleSave(post: Post, placement: Placement): Promise<void> {
  const before = reactions(post).value
  const savedByMe = !before.savedByMe
  const saves = { savedByMe, saveCount: before.saveCount + (savedByMe ? 1 : -1) }
  return change(post, `/posts/${post.id}/save`, savedByMe, saves, savesOf, placement)
}

/**
 * Shows the change at once, then the server's count; reverts it if the server refuses it.
 *
 * A press while another is pending is ignored, so that PUT and DELETE cannot overtake each other. One that waits for a
 * network is taken back.
 *
 * @param expected the changed part of the reactions
 * @param partOf selects the same part of the server's reply
 */
async function change(
  post: Post,
  path: string,
  on: boolean,
  expected: Likes | Saves,
  partOf: (all: Reactions) => Likes | Saves,
  { receipt }: Placement,
): Promise<void> {
  if (takeBack(path) || pending.has(path)) return
  pending.add(path)
  const state = reactions(post)
  const before = partOf(state.value)
  state.value = { ...state.value, ...expected }
  try {
    const send = () => (on ? api.put<Reactions>(path, { receipt }) : api.delete<Reactions>(path))
    const reply = await whenOnline(path, send)
    state.value = { ...state.value, ...partOf(reply) }
  } catch (error) {
    state.value = { ...state.value, ...before }
    showError(error)
  } finally {
    pending.delete(path)
  }
}

function likesOf({ likedByMe, likeCount }: Reactions): Likes {
  return { likedByMe, likeCount }
}

function savesOf({ savedByMe, saveCount }: Reactions): Saves {
  return { savedByMe, saveCount }
}
