import { signal } from '@preact/signals'

/** The app's places live in the URL's fragment: the server knows one page only. */
export type Route =
  | { page: 'feed' }
  | { page: 'upload' }
  | { page: 'people' }
  | { page: 'profile'; personId: string; postId: string | null }

export const paths = {
  feed: '#/',
  upload: '#/upload',
  people: '#/people',
  profile: (personId: string) => `#/people/${personId}`,
  post: (personId: string, postId: string) => `#/people/${personId}/${postId}`,
}

/** Reads a fragment; whatever it does not know is the feed. */
export function parseRoute(hash: string): Route {
  const [place, personId, postId] = hash.replace(/^#\/?/, '').split('/')
  if (place === 'upload') return { page: 'upload' }
  if (place === 'people')
    return personId ? { page: 'profile', personId, postId: postId || null } : { page: 'people' }
  return { page: 'feed' }
}

export const route = signal<Route>({ page: 'feed' })

export function startRouter(): void {
  const read = () => {
    route.value = parseRoute(location.hash)
  }
  history.scrollRestoration = 'manual'
  addEventListener('hashchange', read)
  read()
}
