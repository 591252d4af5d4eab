import { paths } from '../router'

interface Name {
  id: string
  handle: string
  displayName: string
  avatarUrl?: string | null | undefined
}

/** A person's picture above their initials, on a colour derived from their handle. */
export function Monogram({ person, large = false }: { person: Name; large?: boolean }) {
  return (
    <span
      class={large ? 'monogram large' : 'monogram'}
      style={{ '--hue': hueOf(person.handle) }}
      aria-hidden="true"
    >
      {initials(person.displayName || person.handle)}
      {person.avatarUrl && (
        <img
          key={person.avatarUrl}
          src={person.avatarUrl}
          alt=""
          loading="lazy"
          onError={(event) => event.currentTarget.remove()}
        />
      )}
    </span>
  )
}

/** A person's name, linked to their profile. */
export function PersonLink({ person }: { person: Name }) {
  return (
    <a class="person-link" href={paths.profile(person.handle)}>
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
