import type { NotificationKind } from 'photofeed-client'
import { useEffect, useState } from 'preact/hooks'
import { api } from '../session'
import { showError } from '../shell/toasts'
import { words } from '../words'

interface Choice {
  switchedOff: NotificationKind[]
}

const KINDS: readonly NotificationKind[] = [
  'like',
  'comment',
  'reply',
  'mention',
  'follow',
  'follow_request',
  'follow_accepted',
  'photo_approved',
  'photo_rejected',
  'report_decided',
]

/** Which notifications the user gets. A change takes effect at once. */
export function NotificationSettings() {
  const [off, setOff] = useState<readonly NotificationKind[] | null>(null)
  const text = words.settings
  useEffect(() => {
    api.get<Choice>('/me/notification-settings').then((found) => setOff(found.switchedOff), showError)
  }, [])

  const change = async (kind: NotificationKind, on: boolean) => {
    if (!off) return
    const switchedOff = on ? off.filter((one) => one !== kind) : [...off, kind]
    setOff(switchedOff)
    try {
      await api.put<Choice>('/me/notification-settings', { switchedOff })
    } catch (error) {
      setOff(off)
      showError(error)
    }
  }

  return (
    <details class="disclosure" aria-busy={off === null}>
      <summary>{text.notifications}</summary>
      {KINDS.map((kind) => (
        <label key={kind} class="check">
          <input
            type="checkbox"
            checked={off !== null && !off.includes(kind)}
            disabled={off === null}
            onChange={(event) => void change(kind, event.currentTarget.checked)}
          />
          {text.notified[kind]}
        </label>
      ))}
    </details>
  )
}
