import { type Me, uploadPhoto } from 'photofeed-client'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Monogram } from '../people/monogram'
import { forgetProfile } from '../people/profiles'
import { api, learnOwnLook, session } from '../session'
import { showError, showToast } from '../shell/toasts'
import { ACCEPTED, refusalOf } from '../upload/photo-file'
import { translatedRefusal, words } from '../words'

/** The user's picture: choose a file, which is cropped to a square, or remove it. */
export function AvatarSettings() {
  const field = useRef<HTMLInputElement>(null)
  const [isBusy, setIsBusy] = useState(false)
  const upload = useRef(new AbortController())
  const text = words.settings
  const person = session.value?.person
  useEffect(() => () => upload.current.abort(), [])
  if (!person) return null

  const during = async (work: () => Promise<Me | null>) => {
    setIsBusy(true)
    try {
      const me = await work()
      if (me) {
        learnOwnLook(me)
        forgetProfile(me.handle)
      }
    } catch (error) {
      showError(error)
    } finally {
      setIsBusy(false)
    }
  }
  const choose = (file: File | undefined) => {
    if (!file) return
    const refusal = refusalOf(file)
    if (refusal !== null) showToast(refusal)
    else void during(() => setAvatar(file, upload.current.signal))
  }
  return (
    <div class="avatar-settings" aria-busy={isBusy}>
      <Monogram person={person} large />
      <div class="form-actions">
        <button type="button" class="quiet" disabled={isBusy} onClick={() => field.current?.click()}>
          {isBusy ? words.loading : text.changePicture}
        </button>
        {person.avatarUrl && (
          <button
            type="button"
            class="quiet"
            disabled={isBusy}
            onClick={() => void during(() => api.delete<Me>('/me/avatar'))}
          >
            {text.removePicture}
          </button>
        )}
      </div>
      <input
        ref={field}
        type="file"
        accept={ACCEPTED}
        hidden
        aria-label={text.changePicture}
        onChange={(event) => {
          choose(event.currentTarget.files?.[0])
          event.currentTarget.value = ''
        }}
      />
    </div>
  )
}

/** Uploads a picture and shows it once it is ready; null if it is not shown, which a message explains. */
async function setAvatar(file: File, signal: AbortSignal): Promise<Me | null> {
  const photo = await uploadPhoto(api, { file, purpose: 'avatar' }, undefined, signal)
  if (photo.status === 'ready') return api.put<Me>('/me/avatar', { photoId: photo.id })
  const { failure } = photo
  showToast(failure ? translatedRefusal(failure.code, failure.reason) : words.upload.inReviewHint)
  return null
}
