import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { MoreIcon } from './icons'

export interface MenuItem {
  label: string
  run: () => void
  /** For what cannot be undone. */
  danger?: boolean
}

/** A button with three dots that opens a list of actions (the menu button pattern of ARIA). */
export function Menu({ label, items }: { label: string; items: readonly MenuItem[] }) {
  const [isOpen, setIsOpen] = useState(false)
  const id = useId()
  const root = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const list = useRef<HTMLDivElement>(null)

  const close = (returnsFocus: boolean) => {
    setIsOpen(false)
    if (returnsFocus) button.current?.focus()
  }
  // Before the list is painted: keys that follow at once must reach it.
  useLayoutEffect(() => {
    if (isOpen) entriesOf(list.current)[0]?.focus()
  }, [isOpen])
  useEffect(() => {
    if (!isOpen) return
    const closeOutside = (event: Event) => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) setIsOpen(false)
    }
    document.addEventListener('pointerdown', closeOutside)
    return () => document.removeEventListener('pointerdown', closeOutside)
  }, [isOpen])

  const press = (event: KeyboardEvent) => {
    const entries = entriesOf(list.current)
    const at = entries.indexOf(document.activeElement as HTMLButtonElement)
    const last = entries.length - 1
    const target = {
      ArrowDown: at === last ? 0 : at + 1,
      ArrowUp: at <= 0 ? last : at - 1,
      Home: 0,
      End: last,
    }[event.key]
    if (target !== undefined) {
      event.preventDefault()
      entries[target]?.focus()
    } else if (event.key === 'Escape') {
      event.preventDefault()
      event.stopPropagation()
      close(true)
    } else if (event.key === 'Tab') {
      setIsOpen(false)
    }
  }

  return (
    <div class="menu" ref={root}>
      <button
        ref={button}
        type="button"
        class="menu-button"
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => setIsOpen(!isOpen)}
      >
        <MoreIcon />
      </button>
      {isOpen && (
        <div
          ref={list}
          id={id}
          class="menu-list"
          role="menu"
          aria-label={label}
          tabIndex={-1}
          onKeyDown={press}
        >
          {items.map((item) => (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              class={item.danger ? 'danger' : ''}
              tabIndex={-1}
              onClick={() => {
                close(true)
                item.run()
              }}
            >
              {item.label}
            </button>
          ))}
        </div>
      )}
    </div>
  )
}

function entriesOf(list: HTMLElement | null): HTMLButtonElement[] {
  return Array.from(list?.querySelectorAll('button') ?? [])
}
