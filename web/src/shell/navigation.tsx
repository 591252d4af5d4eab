import type { ComponentChildren } from 'preact'
import { unreadCount } from '../activity/notifications'
import { feed } from '../feed/feed-pages'
import { Monogram } from '../people/monogram'
import { requestCount } from '../people/request-count'
import { paths, type Route, route } from '../router'
import { session } from '../session'
import { words } from '../words'
import { BellIcon, HomeIcon, PlusIcon, SearchIcon, SettingsIcon } from './icons'

const MOST_SHOWN = 99

/** The way to every page: a bar at the bottom of phones, in the header of larger screens, at the side of wide ones. */
export function Navigation() {
  const person = session.value?.person
  return (
    <header class="shell">
      <div class="shell-inner">
        <a class="wordmark" href={paths.feed} onClick={refreshWhenThere}>
          {words.app}
        </a>
        {person && (
          <nav aria-label={words.nav.label}>
            <NavLink page="feed" href={paths.feed} text={words.nav.home} onClick={refreshWhenThere}>
              <HomeIcon />
            </NavLink>
            <NavLink page="explore" href={paths.explore} text={words.nav.explore}>
              <SearchIcon />
            </NavLink>
            <NavLink page="upload" href={paths.upload} text={words.nav.upload}>
              <PlusIcon />
            </NavLink>
            <NavLink
              page="activity"
              href={paths.activity}
              text={words.nav.activity}
              badge={unreadCount.value}
            >
              <BellIcon />
            </NavLink>
            <NavLink
              page="profile"
              href={paths.profile(person.handle)}
              text={words.nav.profile}
              note={requestCount.value > 0 ? words.nav.newRequests : ''}
            >
              <Monogram person={person} />
            </NavLink>
            <NavLink page="settings" href={paths.settings} text={words.nav.settings}>
              <SettingsIcon />
            </NavLink>
          </nav>
        )}
      </div>
    </header>
  )
}

interface NavLinkProps {
  page: Route['page']
  href: string
  text: string
  /** What is new there: a dot, read aloud in words. */
  note?: string
  /** How much is new there; nothing is shown for 0. */
  badge?: number
  onClick?: (event: Event) => void
  children: ComponentChildren
}

function NavLink({ page, href, text, note = '', badge = 0, onClick, children }: NavLinkProps) {
  const current = route.value
  const isHere = current.page === 'profile' ? paths.profile(current.handle) === href : current.page === page
  return (
    <a class="nav-link" href={href} aria-current={isHere ? 'page' : undefined} title={text} onClick={onClick}>
      {children}
      <span class="nav-text">{text}</span>
      {badge > 0 && (
        <span class="nav-badge">
          <span aria-hidden="true">{badge > MOST_SHOWN ? `${MOST_SHOWN}+` : badge}</span>
          <span class="visually-hidden">{words.nav.unread(badge)}</span>
        </span>
      )}
      {note && (
        <span class="nav-dot">
          <span class="visually-hidden">{note}</span>
        </span>
      )}
    </a>
  )
}

/** On the feed, its links load a new slate and scroll to the top. */
function refreshWhenThere(event: Event): void {
  if (route.value.page !== 'feed') return
  event.preventDefault()
  scrollTo({ top: 0 })
  void feed.restart()
}
