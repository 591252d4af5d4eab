import type { Flow } from '../stage'

export const moderation: readonly Flow[] = [
  {
    name: 'a photo is reported with a reason',
    run: async (stage) => {
      const reader = await stage.as('reader', `/@${stage.person('troll').handle}`)
      const { page } = reader
      await page.locator('.grid a').first().click()
      const viewer = page.getByRole('dialog')
      await reader.choose(reader.button('More actions', viewer).first(), 'Report')
      const form = page.getByRole('dialog', { name: 'Report this photo' })
      await form.getByLabel('Spam or fraud').check()
      await form.getByLabel('More about it (optional)').fill(`seen on a ${stage.size}`)
      await reader.picture('report')
      await reader.button('Report', form).click()
      await reader.sees('Thank you. A moderator will look at it.')
    },
  },
  {
    name: 'a moderator decides, and the photo is gone',
    run: async (stage) => {
      const moderator = await stage.as('moderator', '/settings')
      const { page } = moderator
      await page.getByRole('link', { name: 'Moderation' }).click()
      const item = page.getByRole('article').filter({ hasText: `seen on a ${stage.size}` })
      await item.waitFor()
      await item.getByRole('img').waitFor()
      await moderator.picture('moderation')
      await moderator.button('Reject', item).click()
      await moderator.sees('Rejected.')
      const reader = await stage.as('reader', `/@${stage.person('troll').handle}`)
      await reader.reloadUntil(() => reader.page.getByText('has not posted any photos yet.'))
      const troll = await stage.as('troll', '/activity')
      await troll.sees('Your photo breaks the rules and is not shown.')
      await troll.picture('rejected')
    },
  },
]
