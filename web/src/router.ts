import { batch, signal } from '@preact/signals'

export type Route =
  | { page: 'feed' }
  | { page: 'explore'; query: string }
  | { page: 'tag'; tag: string }
  | { page: 'post'; postId: string }
  | { page: 'profile'; handle: string }
  | { page: 'upload' }
  | { page: 'saved' }
  | { page: 'liked' }
  | { page: 'requests' }
  | { page: 'activity' }
  | { page: 'admin' }
  | { page: 'health' }
  | { page: 'explain' }
  | { page: 'connections'; handle: string; list: 'followers' | 'following' }
  | { page: 'likes'; postId: string }
  | { page: 'settings' }
  | { page: 'sign-in' }
  | { page: 'not-found' }

/** Addresses of the app's pages. The server answers each with the app (serving/api/web_app.py). */
export const paths = {
  feed: '/',
  explore: '/explore',
  upload: '/new',
  saved: '/saved',
  liked: '/liked',
  requests: '/requests',
  activity: '/activity',
  admin: '/admin',
  health: '/admin/health',
  explain: '/admin/explain',
  settings: '/settings',
  signIn: '/sign-in',
  search: (query: string) => `/explore?q=${encodeURIComponent(query)}`,
  tag: (tag: string) => `/tags/${encodeURIComponent(tag)}`,
  profile: (handle: string) => `/@${handle}`,
  followers: (handle: string) => `/@${handle}/followers`,
  following: (handle: string) => `/@${handle}/following`,
  post: (postId: string) => `/p/${postId}`,
  likes: (postId: string) => `/p/${postId}/likes`,
}

/** Paths of the server that are not pages of this app: the browser loads them. */
const NOT_OURS = /^\/(v1|photos|assets|docs|openapi\.json|metrics|healthz|readyz)(\/|$)/

/** The route of an address, path and query. */
export function parseRoute(address: string): Route {
  const { pathname, searchParams } = new URL(address, 'http://app')
  const [first = '', second = '', ...rest] = pathname.replace(/\/$/, '').split('/').slice(1).map(decode)
  if (rest.length > 0)
    return first === 'p' && rest.join() === 'likes'
      ? { page: 'likes', postId: second }
      : { page: 'not-found' }
  const handle = first.length > 1 && first.startsWith('@') ? first.slice(1) : null
  if (second !== '') {
    if (first === 'p') return { page: 'post', postId: second }
    if (first === 'admin' && (second === 'health' || second === 'explain')) return { page: second }
    if (first === 'tags') return { page: 'tag', tag: second }
    if (handle !== null && (second === 'followers' || second === 'following'))
      return { page: 'connections', handle, list: second }
    return { page: 'not-found' }
  }
  if (handle !== null) return { page: 'profile', handle }
  switch (first) {
    case '':
      return { page: 'feed' }
    case 'explore':
      return { page: 'explore', query: searchParams.get('q') ?? '' }
    case 'new':
      return { page: 'upload' }
    case 'saved':
    case 'liked':
    case 'requests':
    case 'activity':
    case 'admin':
      return { page: first }
    case 'settings':
      return { page: 'settings' }
    case 'sign-in':
      return { page: 'sign-in' }
    default:
      return { page: 'not-found' }
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    // A lone percent sign, as in a mistyped address: such a page does not exist.
    return '%'
  }
}

/** The page that is shown. */
export const route = signal<Route>({ page: 'feed' })
/** The post in the viewer, above the page; null while the viewer is closed. */
export const openPost = signal<string | null>(null)

/** What this app keeps in an entry of the browser's history. */
interface Entry {
  /** Number of the entry, to find its scroll position. */
  number: number
  /** Address of the page below the viewer. Without it the post was opened by a link from outside. */
  below?: string
}

const scrolls = new Map<number, number>()
let lastNumber = 0

function entry(): Entry {
  return (history.state as Entry | null) ?? { number: 0 }
}

/** Where the current history entry was scrolled to when it was left; 0 for a new one. */
export function scrollOfEntry(): number {
  return scrolls.get(entry().number) ?? 0
}

/** Goes to an address of this app. A post opens above the current page; a step inside the viewer replaces the post. */
export function navigate(address: string, { replace = false } = {}): void {
  const isPost = parseRoute(address).page === 'post'
  const stepsInViewer = isPost && openPost.value !== null
  const below = stepsInViewer ? entry().below : isPost ? location.pathname + location.search : undefined
  const replaces = replace || stepsInViewer
  if (!replaces) {
    scrolls.set(entry().number, scrollY)
    lastNumber += 1
  }
  const next: Entry = {
    number: replaces ? entry().number : lastNumber,
    ...(below === undefined ? {} : { below }),
  }
  if (replaces) history.replaceState(next, '', address)
  else history.pushState(next, '', address)
  read()
}

/** Closes the viewer: back to the page below it or, after a link from outside, to the post's author. */
export function closePost(authorPath: string | null): void {
  if (entry().below !== undefined) history.back()
  else navigate(authorPath ?? paths.feed, { replace: true })
}

function read(): void {
  const here = parseRoute(location.pathname + location.search)
  const { below } = entry()
  batch(() => {
    openPost.value = here.page === 'post' ? here.postId : null
    route.value = here.page === 'post' && below !== undefined ? parseRoute(below) : here
  })
}

/** Follows the address bar, and opens links to pages of this app without loading a document. */
export function startRouter(): void {
  history.scrollRestoration = 'manual'
  lastNumber = entry().number
  if (history.state === null) history.replaceState({ number: 0 } satisfies Entry, '')
  addEventListener('popstate', read)
  addEventListener('click', (event) => {
    const path = pathOfClick(event)
    if (path === null) return
    event.preventDefault()
    if (path !== location.pathname + location.search) navigate(path)
  })
  read()
}

function pathOfClick(event: MouseEvent): string | null {
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
  const link = event.target instanceof Element ? event.target.closest('a') : null
  if (event.defaultPrevented || !isPlain || !link?.href || link.target || link.hasAttribute('download'))
    return null
  const { origin, pathname, search } = new URL(link.href)
  return origin === location.origin && !NOT_OURS.test(pathname) ? pathname + search : null
}
