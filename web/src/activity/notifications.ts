import { signal } from '@preact/signals'
import type { Notification, Page } from 'photofeed-client'
import { isAbort, Problem, type ServerSentEvent, serverSentEvents } from 'photofeed-client'
import { Pages } from '../api/pages'
import { api } from '../session'
import { showError } from '../shell/toasts'

const PAGE_SIZE = 30
const FIRST_PAUSE_MS = 2_000
const LONGEST_PAUSE_MS = 60_000

/** How many notifications are unread. */
export const unreadCount = signal(0)

/** The user's notifications, newest first; the stream adds new ones. */
export const notifications = new Pages<Notification>((cursor) => {
  const query = new URLSearchParams({ limit: `${PAGE_SIZE}`, ...(cursor ? { cursor } : {}) })
  return api.get<Page<Notification>>(`/me/notifications?${query}`)
}, showError)

export async function markRead(): Promise<void> {
  try {
    await api.put<void>('/me/notifications/read')
  } catch (error) {
    showError(error)
  }
}

/** Puts a notification at the start of the list, in place of its earlier state. */
export function receive(list: readonly Notification[], arrived: Notification): Notification[] {
  return [arrived, ...list.filter(({ id }) => id !== arrived.id)]
}

let request: AbortController | null = null

/** Watches the notifications of the signed-in user while the page is visible; browsers allow few connections. */
export function watchNotifications(): void {
  stopNotifications()
  document.addEventListener('visibilitychange', follow)
  follow()
}

/** Ends the watch and forgets everything: another person may sign in. */
export function stopNotifications(): void {
  document.removeEventListener('visibilitychange', follow)
  request?.abort()
  request = null
  lastEventId = null
  unreadCount.value = 0
  notifications.restore({ items: [], cursor: '' })
}

let lastEventId: string | null = null

function follow(): void {
  request?.abort()
  request = document.visibilityState === 'visible' ? new AbortController() : null
  if (request) void stream(request.signal)
}

/** Reads the stream until it is aborted, and opens it again with growing pauses. */
async function stream(abort: AbortSignal): Promise<void> {
  let pause = FIRST_PAUSE_MS
  while (!abort.aborted) {
    try {
      const headers = lastEventId === null ? {} : { 'last-event-id': lastEventId }
      const body = await api.stream('/me/notifications/stream', { signal: abort, headers })
      if (body === null) return
      for await (const event of serverSentEvents(body)) {
        pause = FIRST_PAUSE_MS
        take(event)
      }
    } catch (error) {
      if (isAbort(error)) return
      if (error instanceof Problem ? !error.isTransient : !(error instanceof TypeError)) return
    }
    const waited = pause
    await new Promise((resolve) => setTimeout(resolve, waited))
    pause = Math.min(2 * pause, LONGEST_PAUSE_MS)
  }
}

function take({ event, data, id }: ServerSentEvent): void {
  if (id !== undefined) lastEventId = id
  if (event === 'unread') unreadCount.value = (JSON.parse(data) as { unreadCount: number }).unreadCount
  else if (event === 'notification')
    notifications.items.value = receive(notifications.items.value, JSON.parse(data) as Notification)
}
