import type { ComponentChildren } from 'preact'

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {children}
    </svg>
  )
}

const HEART =
  'M12 20.5C5.6 16.4 2.5 12.9 2.5 9.1 2.5 6.2 4.7 4 7.5 4c1.8 0 3.5.9 4.5 2.5C13 4.9 14.7 4 16.5 4c2.8 0 5 2.2 5 5.1 0 3.8-3.1 7.3-9.5 11.4Z'

export const HeartIcon = () => (
  <Icon>
    <path d={HEART} />
  </Icon>
)
export const BookmarkIcon = () => (
  <Icon>
    <path d="M6 3.5h12v17l-6-4.6-6 4.6Z" />
  </Icon>
)
export const CommentIcon = () => (
  <Icon>
    <path d="M12 3.5c-5 0-9 3.6-9 8 0 2.6 1.4 4.9 3.5 6.4l-.9 3.1 3.6-1.8c.9.2 1.8.3 2.8.3 5 0 9-3.6 9-8s-4-8-9-8Z" />
  </Icon>
)
export const ShareIcon = () => (
  <Icon>
    <path d="M12 15V3.5m0 0L7.8 7.7M12 3.5l4.2 4.2M5 12v8.5h14V12" />
  </Icon>
)
export const HomeIcon = () => (
  <Icon>
    <path d="M4 10.5 12 4l8 6.5V20h-5.5v-5.5h-5V20H4Z" />
  </Icon>
)
export const SettingsIcon = () => (
  <Icon>
    <path d="M4 7.5h9m5 0h2M4 16.5h2m5 0h9M15.5 10a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Zm-7 9a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z" />
  </Icon>
)
export const PlusIcon = () => (
  <Icon>
    <path d="M12 5v14M5 12h14" />
  </Icon>
)
export const ChevronIcon = () => (
  <Icon>
    <path d="m7 10 5 5 5-5" />
  </Icon>
)
export const NextIcon = () => (
  <Icon>
    <path d="m9 5 7 7-7 7" />
  </Icon>
)
export const PreviousIcon = () => (
  <Icon>
    <path d="m15 5-7 7 7 7" />
  </Icon>
)
export const MoreIcon = () => (
  <Icon>
    <path d="M5.5 12h.01M12 12h.01M18.5 12h.01" stroke-width="3" />
  </Icon>
)
export const SearchIcon = () => (
  <Icon>
    <path d="M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13Zm5-1.5 5 5" />
  </Icon>
)
export const BellIcon = () => (
  <Icon>
    <path d="M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 1.5h-15Zm4 4h4" />
  </Icon>
)
export const CloseIcon = () => (
  <Icon>
    <path d="m6 6 12 12M18 6 6 18" />
  </Icon>
)
export const PhotoIcon = () => (
  <Icon>
    <path d="M3.5 5h17v14h-17Zm0 11 5-5 4 4 3-2.5 5 4M15.5 9.5h.01" />
  </Icon>
)
