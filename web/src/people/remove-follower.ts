import type { ApiClient } from 'photofeed-client'

/** Removes a follower, who is not notified. Shows the change at once; reverts it if the server refuses it. */
export async function removeFollower(
  server: Pick<ApiClient, 'delete'>,
  personId: string,
  show: (followsMe: boolean) => void,
): Promise<void> {
  show(false)
  try {
    await server.delete<void>(`/me/followers/${personId}`)
  } catch (error) {
    show(true)
    throw error
  }
}
