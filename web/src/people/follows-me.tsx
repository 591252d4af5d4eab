import { useState } from 'preact/hooks'
import { api } from '../session'
import { showError } from '../shell/toasts'
import { words } from '../words'
import { removeFollower } from './remove-follower'

/** Says that a person follows the user, with a button to remove them; nothing if they do not. */
export function FollowsMe({ person }: { person: { id: string; displayName: string; followsMe: boolean } }) {
  const [followsMe, setFollowsMe] = useState(person.followsMe)
  if (!followsMe) return null
  return (
    <>
      {` · ${words.profile.followsYou} · `}
      <button
        type="button"
        class="link"
        onClick={() => removeFollower(api, person.id, setFollowsMe).catch(showError)}
      >
        {words.profile.removeFollower}
        <span class="visually-hidden"> {person.displayName}</span>
      </button>
    </>
  )
}
