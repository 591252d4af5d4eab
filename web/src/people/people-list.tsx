import type { Page, Person } from 'photofeed-client'
import type { ComponentChildren } from 'preact'
import { Pages } from '../api/pages'
import { paths } from '../router'
import { api } from '../session'
import { InfiniteScroll } from '../shell/infinite-scroll'
import { showError } from '../shell/toasts'
import { words } from '../words'
import { Monogram } from './monogram'

const PAGE_SIZE = 30

/** The people of a call that returns them page by page. */
export function peopleList(path: string, parameters: Record<string, string> = {}): Pages<Person> {
  return new Pages<Person>((cursor) => {
    const query = new URLSearchParams({
      ...parameters,
      limit: `${PAGE_SIZE}`,
      ...(cursor ? { cursor } : {}),
    })
    return api.get<Page<Person>>(`${path}?${query}`)
  }, showError)
}

interface PeopleListProps {
  pages: Pages<Person>
  empty: string
  /** What can be done with a person, besides opening their profile. */
  action?: (person: Person) => ComponentChildren
}

/** People with links to their profiles, page by page. */
export function PeopleList({ pages, empty, action }: PeopleListProps) {
  const people = pages.items.value
  return (
    <>
      <ul class="people-rows">
        {people.map((person) => (
          <li key={person.id}>
            <PersonRow person={person} />
            {action?.(person)}
          </li>
        ))}
      </ul>
      {/* The key changes with the first people: the message is replaced instead of pushed down. */}
      <InfiniteScroll
        key={people.length === 0 ? 'first' : 'further'}
        pages={pages}
        waiting={<p class="ending muted">{words.loading}</p>}
      >
        {people.length === 0 && <p class="ending muted">{empty}</p>}
      </InfiniteScroll>
    </>
  )
}

export function PersonRow({ person }: { person: Person }) {
  return (
    <a class="person-row" href={paths.profile(person.handle)}>
      <Monogram person={person} />
      <span>
        <span class="name">{person.displayName}</span>
        <span class="muted">@{person.handle}</span>
      </span>
    </a>
  )
}
