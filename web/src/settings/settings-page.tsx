import { Monogram } from '../people/monogram'
import { paths } from '../router'
import { isAdmin, isModerator, session, signInWays } from '../session'
import { leave } from '../sign-out'
import { useTitle } from '../title'
import { words } from '../words'
import { AccountData } from './account-data'
import { AvatarSettings } from './avatar-settings'
import { developer, setDeveloper } from './developer'
import { HiddenPeople } from './hidden-people'
import { LanguageSettings } from './language-settings'
import { NotificationSettings } from './notification-settings'
import { PrivacySettings } from './privacy-settings'
import { ProfileSettings } from './profile-settings'

/** The user's own account: who is signed in, and the way out. */
export function SettingsPage() {
  useTitle(words.settings.title)
  const current = session.value
  if (!current) return null
  const { person } = current
  return (
    <main class="column settings">
      <h1>{words.settings.title}</h1>
      <section aria-labelledby="settings-account">
        <h2 id="settings-account">{words.settings.account}</h2>
        <a class="setting" href={paths.profile(person.handle)}>
          <Monogram person={person} />
          <span>
            <span class="name">{person.displayName}</span>
            <span class="muted">@{person.handle}</span>
          </span>
        </a>
        <AvatarSettings />
        <ProfileSettings />
        <div class="form-actions">
          {signInWays.value?.demo && (
            <a class="button quiet" href={paths.signIn}>
              {words.settings.switch}
            </a>
          )}
          {isModerator() && (
            <a class="button quiet" href={paths.admin}>
              {words.admin.title}
            </a>
          )}
          {isAdmin() && (
            <a class="button quiet" href={paths.health}>
              {words.admin.health.title}
            </a>
          )}
          <button type="button" class="quiet" onClick={() => void leave()}>
            {words.settings.signOut}
          </button>
        </div>
      </section>
      <PrivacySettings />
      <section aria-labelledby="settings-notifications">
        <h2 id="settings-notifications">{words.nav.activity}</h2>
        <NotificationSettings />
      </section>
      <HiddenPeople />
      <LanguageSettings />
      <AccountData />
      <section aria-labelledby="settings-developer">
        <h2 id="settings-developer">{words.settings.developer}</h2>
        <label class="check">
          <input
            type="checkbox"
            checked={developer.value}
            onChange={(event) => setDeveloper(event.currentTarget.checked)}
          />
          {words.settings.developerHint}
        </label>
      </section>
    </main>
  )
}
