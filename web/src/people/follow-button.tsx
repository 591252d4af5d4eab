import { session } from '../session'
import { type Followable, following, toggleFollow } from './follows'

interface FollowButtonProps {
  person: Followable & { displayName: string }
  /** On a card it stays in the background; on a profile it is what one came for. */
  prominent?: boolean
}

const LABELS = { no: 'Follow', asked: 'Requested', yes: 'Following' }

export function FollowButton({ person, prominent = false }: FollowButtonProps) {
  if (person.id === session.value?.person.id) return null
  const now = following(person).value
  const kind = now !== 'no' ? 'quiet' : prominent ? 'primary' : 'link'
  return (
    <button
      type="button"
      class={`follow ${kind}`}
      aria-pressed={now === 'asked' ? 'mixed' : now === 'yes'}
      aria-label={`Follow ${person.displayName}`}
      onClick={() => void toggleFollow(person)}
    >
      {LABELS[now]}
    </button>
  )
}
