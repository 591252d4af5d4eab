import type { ApiClient } from '../api/client'

/** Lets somebody follow me no longer, of which they are not told; takes back what it showed if the server says no. */
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
