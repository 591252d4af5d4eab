import { signal } from '@preact/signals'
import type { FollowRequests } from 'photofeed-client'
import { Problem } from 'photofeed-client'
import { api } from '../session'

/** How many people ask to follow the user's private account. */
export const requestCount = signal(0)

/** Asks the server. A failure is no message, since nobody asked for this request. */
export async function countRequests(): Promise<void> {
  try {
    requestCount.value = (await api.get<FollowRequests>('/me/follow-requests?limit=1')).total
  } catch (error) {
    if (!(error instanceof Problem)) throw error
  }
}
