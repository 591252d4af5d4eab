import { useEffect } from 'preact/hooks'
import { paths, type Route, route } from '../router'
import { words } from '../words'
import { countRequests, requestCount } from './request-count'

/** The user's own lists: what they published, saved and liked, and who asks to follow them. */
export function OwnTabs({ handle }: { handle: string }) {
  const { label, photos, saved, liked } = words.ownLists
  useEffect(() => void countRequests(), [])
  return (
    <nav class="tabs" aria-label={label}>
      <Tab page="profile" href={paths.profile(handle)} text={photos} />
      <Tab page="saved" href={paths.saved} text={saved} />
      <Tab page="liked" href={paths.liked} text={liked} />
      <Tab page="requests" href={paths.requests} text={words.requests.tab(requestCount.value)} />
    </nav>
  )
}

function Tab({ page, href, text }: { page: Route['page']; href: string; text: string }) {
  return (
    <a href={href} aria-current={route.value.page === page ? 'page' : undefined}>
      {text}
    </a>
  )
}
