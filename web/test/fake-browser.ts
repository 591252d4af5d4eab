/** The parts of a browser that the router uses: the address, the history and the scroll position. */
export interface FakeBrowser {
  address(): string
  length(): number
  back(): void
  scrollTo(y: number): void
}

export function fakeBrowser(start: string): FakeBrowser {
  const entries: { state: unknown; address: string }[] = [{ state: null, address: start }]
  let at = 0
  const listeners = new Map<string, () => void>()
  const move = (by: number) => {
    at += by
    listeners.get('popstate')?.()
  }
  const parts = () => new URL(entries[at]?.address ?? '/', 'http://app')
  const location = {
    origin: 'http://app',
    get pathname() {
      return parts().pathname
    },
    get search() {
      return parts().search
    },
  }
  const history = {
    get state() {
      return entries[at]?.state ?? null
    },
    pushState: (state: unknown, _: string, address: string) => {
      entries.splice(at + 1, entries.length, { state, address })
      at += 1
    },
    replaceState: (state: unknown, _: string, address = entries[at]?.address ?? '/') => {
      entries[at] = { state, address }
    },
    back: () => move(-1),
  }
  Object.assign(globalThis, {
    location,
    history,
    scrollY: 0,
    addEventListener: (name: string, listener: () => void) => listeners.set(name, listener),
  })
  return {
    address: () => entries[at]?.address ?? '',
    length: () => entries.length,
    back: history.back,
    scrollTo: (y) => Object.assign(globalThis, { scrollY: y }),
  }
}
