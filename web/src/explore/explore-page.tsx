import { useEffect, useRef } from 'preact/hooks'
import { type FeedEntry, placementOf, rankedList } from '../feed/slates'
import { keptList } from '../kept-lists'
import { PersonRow, peopleList } from '../people/people-list'
import { PostGrid } from '../post/post-grid'
import { postList } from '../post/post-lists'
import { navigate, paths } from '../router'
import { SearchIcon } from '../shell/icons'
import { Ending } from '../shell/infinite-scroll'
import { useTitle } from '../title'
import { words } from '../words'

const PAGE_SIZE = 24
const MAX_PEOPLE = 6
const MAX_QUERY = 200

/** Photos of people whom the user does not follow or, with a query, what a search finds. */
export function ExplorePage({ query }: { query: string }) {
  useTitle(query ? words.explore.results(query) : words.explore.title)
  return (
    <main class="column wide explore">
      <h1 class="visually-hidden">{query ? words.explore.results(query) : words.explore.title}</h1>
      <SearchForm key={query} query={query} />
      {query ? <Results key={query} query={query} /> : <Suggestions />}
    </main>
  )
}

function SearchForm({ query }: { query: string }) {
  const field = useRef<HTMLInputElement>(null)
  const submit = (event: Event) => {
    event.preventDefault()
    const wanted = field.current?.value.trim() ?? ''
    navigate(wanted ? paths.search(wanted) : paths.explore)
  }
  return (
    <search>
      <form class="search-form" onSubmit={submit}>
        <SearchIcon />
        <input
          ref={field}
          type="search"
          name="q"
          defaultValue={query}
          maxLength={MAX_QUERY}
          placeholder={words.explore.search}
          aria-label={words.explore.search}
          enterkeyhint="search"
        />
      </form>
    </search>
  )
}

function Suggestions() {
  const posts = keptList('explore', () => rankedList('/explore', PAGE_SIZE, () => {}))
  return (
    <PostGrid<FeedEntry>
      pages={posts}
      postOf={(entry) => entry.post}
      placementOf={placementOf}
      ending={() => (
        <Ending text={words.explore.ended} action={words.reload} onAction={() => void posts.restart()} />
      )}
    />
  )
}

function Results({ query }: { query: string }) {
  const posts = keptList(`search ${query}`, () => postList('/search', { q: query }))
  return (
    <>
      <PeopleResults query={query} />
      <PostGrid
        pages={posts}
        postOf={(post) => post}
        ending={(isEmpty) => isEmpty && <p class="ending muted">{words.explore.nothing(query)}</p>}
      />
    </>
  )
}

/** The first people whose handle or name begins with the query. */
function PeopleResults({ query }: { query: string }) {
  const people = keptList(`people ${query}`, () => peopleList('/people', { q: query }))
  useEffect(() => {
    if (people.state.value === 'ready' && people.items.value.length === 0) void people.more()
  }, [people])
  const found = people.items.value.slice(0, MAX_PEOPLE)
  return (
    <ul class="people-results" aria-label={words.explore.people} aria-busy={people.state.value === 'loading'}>
      {found.map((person) => (
        <li key={person.id}>
          <PersonRow person={person} />
        </li>
      ))}
    </ul>
  )
}
