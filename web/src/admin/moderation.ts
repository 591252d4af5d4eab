import type { Page, Schemas } from 'photofeed-client'
import { Pages } from '../api/pages'
import { api } from '../session'
import { showError } from '../shell/toasts'

export type Waiting = Schemas['ModerationQueue']['items'][number]
export type Decision = Schemas['PastDecision']

const PAGE_SIZE = 30

/** What waits for a moderator, the oldest first. */
export function waitingList(): Pages<Waiting> {
  return pagesOf<Waiting>('/moderation/queue')
}

/** What the model and moderators decided, the newest first. */
export function decisionList(): Pages<Decision> {
  return pagesOf<Decision>('/moderation/decisions')
}

function pagesOf<T>(path: string): Pages<T> {
  return new Pages<T>((cursor) => {
    const query = new URLSearchParams({ limit: `${PAGE_SIZE}`, ...(cursor ? { cursor } : {}) })
    return api.get<Page<T>>(`${path}?${query}`)
  }, showError)
}

/** The id of what is waiting: of a photo, a comment or a person. */
export function idOf(item: Waiting): string {
  switch (item.kind) {
    case 'photo':
      return item.photoId
    case 'comment':
      return item.commentId
    case 'person':
      return item.person.id
  }
}

export async function decide(item: Waiting, decision: 'approve' | 'reject', reason: string): Promise<void> {
  const folder = { photo: '', comment: 'comments/', person: 'people/' }[item.kind]
  await api.post<void>(`/moderation/${folder}${idOf(item)}/decisions`, { decision, reason })
}

export type Command = 'next' | 'previous' | 'approve' | 'reject'

const KEYS: Readonly<Record<string, Command>> = {
  ArrowDown: 'next',
  j: 'next',
  ArrowUp: 'previous',
  k: 'previous',
  a: 'approve',
  r: 'reject',
}

/** What a key does on the page; null while somebody writes, or holds a modifier. */
export function commandOf(event: KeyboardEvent): Command | null {
  const target = event.target as Partial<Element> | null
  const writes = target?.closest?.call(target, 'input, textarea, select') != null
  if (writes || event.metaKey || event.ctrlKey || event.altKey) return null
  return KEYS[event.key] ?? null
}
