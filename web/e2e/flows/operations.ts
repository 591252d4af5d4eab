import type { Flow } from '../stage'

export const operations: readonly Flow[] = [
  {
    name: 'those who run photofeed see its health, and replay a message',
    run: async (stage) => {
      const operator = await stage.as('operator', '/settings')
      const { page } = operator
      await page.getByRole('link', { name: 'Health' }).click()
      await operator.sees('Popularity ranks')
      const systems = page.getByRole('region', { name: 'Systems and workers' })
      await systems.getByText('postgres', { exact: true }).waitFor()
      await systems.getByRole('row', { name: /^fanout 1 / }).waitFor()
      await systems.getByRole('row', { name: /^archive 0 ! away/ }).waitFor()
      await operator.sees('A relay is running.')
      await operator.picture('health')
      await operator.button(`Replay letter-${stage.size}`).click()
      await operator.sees('Replayed.')
      await operator.button(`Replay letter-${stage.size}`).waitFor({ state: 'detached' })
    },
  },
  {
    name: 'the pages of those who run photofeed are closed to others',
    run: async (stage) => {
      const moderator = await stage.as('moderator', '/admin/health')
      await moderator.sees('This endpoint is for admins only.')
    },
  },
]
