import { paths, route } from '../router'
import { isAdmin, isModerator } from '../session'
import { words } from '../words'

/** The pages of those who run photofeed, as far as their roles reach. */
export function AdminTabs() {
  const text = words.admin
  const pages = [
    ...(isModerator() ? [{ page: 'admin', href: paths.admin, name: text.title }] : []),
    ...(isAdmin()
      ? [
          { page: 'health', href: paths.health, name: text.health.title },
          { page: 'explain', href: paths.explain, name: text.explain.title },
        ]
      : []),
  ]
  if (pages.length < 2) return null
  return (
    <nav class="tabs" aria-label={text.pages}>
      {pages.map(({ page, href, name }) => (
        <a
          key={page}
          class="admin-tab"
          href={href}
          aria-current={route.value.page === page ? 'page' : undefined}
        >
          {name}
        </a>
      ))}
    </nav>
  )
}
