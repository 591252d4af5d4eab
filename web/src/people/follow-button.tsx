import { session } from '../session'
import { words } from '../words'
import { type Followable, following, toggleFollow } from './follows'

interface FollowButtonProps {
  person: Followable & { displayName: string }
  /** Prominent on a profile, less so on a card. */
  prominent?: boolean
}

/** The button's name starts with its visible text, and changes with it. */
export function FollowButton({ person, prominent = false }: FollowButtonProps) {
  if (person.id === session.value?.person.id) return null
  const now = following(person).value
  const kind = now !== 'no' ? 'quiet' : prominent ? 'primary' : 'link'
  return (
    <button type="button" class={`follow ${kind}`} onClick={() => void toggleFollow(person)}>
      {words.follow[now]}
      <span class="visually-hidden"> {person.displayName}</span>
    </button>
  )
}
