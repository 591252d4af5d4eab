import { paths } from '../router'

interface Named {
  id: string
  handle: string
  displayName: string
}

/** Initials on a soft colour of their own: people here have no portraits. */
export function Monogram({ person, large = false }: { person: Named; large?: boolean }) {
  return (
    <span
      class={large ? 'monogram large' : 'monogram'}
      style={{ '--hue': hueOf(person.handle) }}
      aria-hidden="true"
    >
      {initials(person.displayName || person.handle)}
    </span>
  )
}

/** A person's monogram and name, leading to their profile. */
export function PersonLink({ person }: { person: Named }) {
  return (
    <a class="person-link" href={paths.profile(person.id)}>
      <span class="name">{person.displayName}</span>
    </a>
  )
}

export function initials(name: string): string {
  const words = name.trim().split(/[\s._-]+/)
  const [first = '', last = ''] = [words[0], words.length > 1 ? words.at(-1) : '']
  return (first.charAt(0) + last.charAt(0)).toUpperCase()
}

/** Degrees on the colour wheel, spread evenly by a multiplicative hash of the handle. */
function hueOf(handle: string): number {
  let hash = 0
  for (const character of handle) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x9e3779b1) >>> 0
  return hash % 360
}
