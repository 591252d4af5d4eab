/** Browser objects that modules of the app use when they are loaded. Import this file before them. */
function storage() {
  const stored = new Map<string, string>()
  return {
    get length() {
      return stored.size
    },
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
    removeItem: (key: string) => stored.delete(key),
  }
}

Object.assign(globalThis, { localStorage: storage(), sessionStorage: storage() })
Object.defineProperty(globalThis, 'navigator', {
  value: { onLine: true },
  configurable: true,
  writable: true,
})
