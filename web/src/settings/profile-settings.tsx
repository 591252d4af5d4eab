import type { Me } from 'photofeed-client'
import { useEffect, useState } from 'preact/hooks'
import { forgetProfile } from '../people/profiles'
import { api, learnOwnLook } from '../session'
import { showError, showToast } from '../shell/toasts'
import { words } from '../words'

const MAX_NAME = 80
const MAX_BIO = 300

/** How the user appears to others: the name and a few words. */
export function ProfileSettings() {
  const [name, setName] = useState('')
  const [bio, setBio] = useState('')
  const [isReady, setIsReady] = useState(false)
  const text = words.settings
  useEffect(() => {
    api.get<Me>('/me').then((me) => {
      setName(me.displayName)
      setBio(me.bio)
      learnOwnLook(me)
      setIsReady(true)
    }, showError)
  }, [])

  const save = async (event: Event) => {
    event.preventDefault()
    setIsReady(false)
    try {
      const me = await api.patch<Me>('/me', { displayName: name.trim(), bio: bio.trim() })
      learnOwnLook(me)
      forgetProfile(me.handle)
      showToast(text.saved)
    } catch (error) {
      showError(error)
    } finally {
      setIsReady(true)
    }
  }

  return (
    <form class="fields" onSubmit={(event) => void save(event)}>
      <label>
        {text.name}
        <input
          required
          maxLength={MAX_NAME}
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
          autocomplete="name"
        />
      </label>
      <label>
        {text.bio}
        <textarea
          rows={3}
          maxLength={MAX_BIO}
          value={bio}
          onInput={(event) => setBio(event.currentTarget.value)}
        />
      </label>
      <div class="form-actions">
        <button type="submit" class="primary" disabled={!isReady || name.trim() === ''}>
          {text.save}
        </button>
      </div>
    </form>
  )
}
