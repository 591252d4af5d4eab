import type { Me } from 'photofeed-client'
import { useEffect, useId, useState } from 'preact/hooks'
import { api } from '../session'
import { showError } from '../shell/toasts'
import { words } from '../words'

type Privacy = Pick<Me, 'isPrivate' | 'keepPlaces'>

/** Who sees the user's photos, and whether their locations are kept. A change takes effect at once. */
export function PrivacySettings() {
  const [current, setCurrent] = useState<Privacy | null>(null)
  const text = words.settings
  useEffect(() => {
    api.get<Me>('/me').then(setCurrent, showError)
  }, [])

  const change = async (wanted: Partial<Privacy>) => {
    const before = current
    if (!before) return
    setCurrent({ ...before, ...wanted })
    try {
      setCurrent(await api.patch<Me>('/me', wanted))
    } catch (error) {
      setCurrent(before)
      showError(error)
    }
  }

  return (
    <section aria-labelledby="settings-privacy" aria-busy={current === null}>
      <h2 id="settings-privacy">{text.privacy}</h2>
      <Switch
        label={text.private}
        hint={text.privateHint}
        on={current?.isPrivate ?? null}
        onChange={(isPrivate) => void change({ isPrivate })}
      />
      <Switch
        label={text.places}
        hint={text.placesHint}
        on={current?.keepPlaces ?? null}
        onChange={(keepPlaces) => void change({ keepPlaces })}
      />
    </section>
  )
}

interface SwitchProps {
  label: string
  hint: string
  /** Null while it is not known. */
  on: boolean | null
  onChange: (on: boolean) => void
}

function Switch({ label, hint, on, onChange }: SwitchProps) {
  const id = useId()
  return (
    <div>
      <label class="check">
        <input
          type="checkbox"
          checked={on ?? false}
          disabled={on === null}
          aria-describedby={id}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
        {label}
      </label>
      <p class="muted hint" id={id}>
        {hint}
      </p>
    </div>
  )
}
