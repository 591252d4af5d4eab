import { session } from '../session'
import { followed, toggleFollow } from './follows'

interface FollowButtonProps {
  person: { id: string; displayName: string; followedByMe: boolean }
  /** On a card it stays in the background; on a profile it is what one came for. */
  prominent?: boolean
}

export function FollowButton({ person, prominent = false }: FollowButtonProps) {
  if (person.id === session.value?.person.id) return null
  const isFollowed = followed(person).value
  const kind = isFollowed ? 'quiet' : prominent ? 'primary' : 'link'
  return (
    <button
      type="button"
      class={`follow ${kind}`}
      aria-pressed={isFollowed}
      aria-label={`Follow ${person.displayName}`}
      onClick={() => void toggleFollow(person)}
    >
      {isFollowed ? 'Following' : 'Follow'}
    </button>
  )
}
