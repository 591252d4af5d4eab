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
    name: 'an operator asks why somebody does not see a post, by two rankers',
    run: async (stage) => {
      const operator = await stage.as('operator', '/admin/health')
      const { page } = operator
      await page.getByRole('link', { name: 'Explain' }).click()
      await page.getByLabel('Whose feed').fill(`@${stage.person('reader').handle}`)
      await page.getByLabel('Ranked by').selectOption('Popularity')
      await page.getByLabel('And by').selectOption('Recency')
      await operator.button('Explain').click()
      const recency = page.getByRole('region', { name: 'Candidates: Recency' })
      await recency
        .getByRole('row', { name: /in the slate/ })
        .first()
        .waitFor()
      await operator
        .button(/^[0-9A-Za-z]{11}$/, recency)
        .first()
        .click()
      const decided = page.getByRole('region', { name: 'What decided' })
      await decided.getByRole('row', { name: /^Outcome in the slate in the slate/ }).waitFor()
      await decided.getByRole('row', { name: /^aspect/ }).waitFor()
      await operator.picture('explained')
      await page.getByLabel('Whose feed').fill('ada')
      await page.getByLabel('Post').fill(`${stage.world.url}/p/${stage.world.posts[0]}`)
      await operator.button('Explain').click()
      await operator.sees('It is their own post.')
      await operator.picture('explained-absent')
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
