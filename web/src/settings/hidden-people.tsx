import type { Person } from 'photofeed-client'
import type { Pages } from '../api/pages'
import { keptList } from '../kept-lists'
import { PeopleList, peopleList } from '../people/people-list'
import { unblock, unmute } from '../people/person-actions'
import { words } from '../words'

/** Whom the user muted and blocked, loaded when opened; each can be taken back. */
export function HiddenPeople() {
  const text = words.settings
  return (
    <section aria-labelledby="settings-people">
      <h2 id="settings-people">{text.people}</h2>
      <Disclosure title={text.muted} path="/me/mutes" undo={unmute} label={text.unmute} />
      <Disclosure title={text.blocked} path="/me/blocks" undo={unblock} label={text.unblock} />
    </section>
  )
}

interface DisclosureProps {
  title: string
  path: string
  label: string
  undo: (person: Person) => Promise<boolean>
}

function Disclosure({ title, path, label, undo }: DisclosureProps) {
  const people: Pages<Person> = keptList(path, () => peopleList(path))
  const takeBack = async (person: Person) => {
    if (await undo(person)) people.remove(({ id }) => id === person.id)
  }
  return (
    <details
      class="disclosure"
      onToggle={(event) => {
        if (event.currentTarget.open) void people.restart()
      }}
    >
      <summary>{title}</summary>
      <PeopleList
        pages={people}
        empty={words.settings.nobody}
        action={(person) => (
          <button type="button" class="quiet" onClick={() => void takeBack(person)}>
            {label}
            <span class="visually-hidden"> {person.displayName}</span>
          </button>
        )}
      />
    </details>
  )
}
