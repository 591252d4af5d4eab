import { useState } from 'preact/hooks'
import { api } from '../session'
import { showError } from '../shell/toasts'
import { removeFollower } from './remove-follower'

/** That somebody follows me, and a way to end it; nothing where they do not. */
export function FollowsMe({ person }: { person: { id: string; displayName: string; followsMe: boolean } }) {
  const [followsMe, setFollowsMe] = useState(person.followsMe)
  if (!followsMe) return null
  return (
    <>
      {' · follows you · '}
      <button
        type="button"
        class="link"
        aria-label={`Remove follower ${person.displayName}`}
        onClick={() => removeFollower(api, person.id, setFollowsMe).catch(showError)}
      >
        Remove follower
      </button>
    </>
  )
}
