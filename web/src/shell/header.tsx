import { feed } from '../feed/feed-pages'
import { Monogram } from '../people/monogram'
import { paths, route } from '../router'
import { session } from '../session'
import { ChevronIcon, PlusIcon } from './icons'

export function Header() {
  const person = session.value?.person
  return (
    <header class="shell">
      <div class="shell-inner">
        <a class="wordmark" href={paths.feed} onClick={refreshWhenThere}>
          photofeed
        </a>
        {person && (
          <nav aria-label="Main">
            <a class="icon-link" href={paths.upload} aria-label="New photo" title="New photo">
              <PlusIcon />
            </a>
            <a
              class="icon-link"
              href={paths.profile(person.id)}
              aria-label="Your profile"
              title="Your profile"
            >
              <Monogram person={person} />
            </a>
            <a class="switch muted" href={paths.people} title="Switch person">
              <span>{person.displayName}</span>
              <ChevronIcon />
            </a>
          </nav>
        )}
      </div>
    </header>
  )
}

/** On the feed, the wordmark asks for a new slate and goes back to the top. */
function refreshWhenThere(event: Event): void {
  if (route.value.page !== 'feed') return
  event.preventDefault()
  scrollTo({ top: 0 })
  void feed.restart()
}
