import { useState } from 'preact/hooks'
import { signInWithToken } from '../session'
import { showError } from '../shell/toasts'
import { words } from '../words'

/** Sign-in with an access token, for servers without demo accounts. */
export function TokenForm({ onSignedIn }: { onSignedIn: () => void }) {
  const [token, setToken] = useState('')

  const submit = async (event: Event) => {
    event.preventDefault()
    try {
      await signInWithToken(token.trim())
      onSignedIn()
    } catch (error) {
      showError(error)
    }
  }

  return (
    <>
      <p class="muted">{words.signIn.tokenHint}</p>
      <form class="people-tools" onSubmit={(event) => void submit(event)}>
        <input
          type="password"
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
          autocomplete="off"
          placeholder={words.signIn.token}
          aria-label={words.signIn.token}
        />
        <button type="submit" class="primary" disabled={token.trim() === ''}>
          {words.signIn.submit}
        </button>
      </form>
    </>
  )
}
