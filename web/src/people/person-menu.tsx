import type { Profile } from 'photofeed-client'
import { startReport } from '../post/report-dialog'
import { Menu } from '../shell/menu'
import { words } from '../words'
import { block, mute, unblock, unmute } from './person-actions'

/** What can be done with a person besides following them. */
export function PersonMenu({ person, onChange }: { person: Profile; onChange: () => void }) {
  const { menu, person: text } = words
  const then = (act: (person: Profile) => Promise<unknown>) => () => void act(person).then(onChange)
  return (
    <Menu
      label={text.menu(person.displayName)}
      items={[
        person.mutedByMe
          ? { label: text.unmute(person.displayName), run: then(unmute) }
          : { label: menu.mute(person.displayName), run: then(mute) },
        {
          label: menu.report,
          danger: true,
          run: () => startReport({ kind: 'person', path: `/users/${person.id}` }),
        },
        person.blockedByMe
          ? { label: text.unblock(person.displayName), run: then(unblock) }
          : { label: menu.block(person.displayName), danger: true, run: then(block) },
      ]}
    />
  )
}
