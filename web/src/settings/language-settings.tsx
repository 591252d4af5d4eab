import { chooseLanguage, chosenLanguage, LANGUAGES, type Language } from '../language'
import { words } from '../words'

/** The language of the app. All texts are made when the app starts, so it starts again. */
export function LanguageSettings() {
  const choose = (value: string) => {
    chooseLanguage(value === '' ? null : (value as Language))
    location.reload()
  }
  return (
    <section aria-labelledby="settings-language">
      <h2 id="settings-language">{words.settings.language}</h2>
      <select
        aria-labelledby="settings-language"
        value={chosenLanguage() ?? ''}
        onChange={(event) => choose(event.currentTarget.value)}
      >
        <option value="">{words.settings.browserLanguage}</option>
        {Object.entries(LANGUAGES).map(([code, name]) => (
          <option key={code} value={code} lang={code}>
            {name}
          </option>
        ))}
      </select>
    </section>
  )
}
