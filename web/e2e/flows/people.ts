import type { Flow } from '../stage'

export const people: readonly Flow[] = [
  {
    name: 'photos, tags and people are found',
    run: async (stage) => {
      const reader = await stage.as('reader', '/explore')
      const { page } = reader
      const field = page.getByRole('searchbox')
      await field.fill('food')
      await field.press('Enter')
      await page.locator('.grid li').first().waitFor()
      await reader.seesImages()
      await reader.picture('search')
      await page.getByRole('searchbox').fill('@ada')
      await page.getByRole('searchbox').press('Enter')
      await page.locator('.people-results').getByText(stage.world.authors.ada.displayName).waitFor()
      await reader.open('/tags/food')
      await page.locator('.grid li').first().waitFor()
    },
  },
  {
    name: 'explore suggests photos of people whom one does not follow',
    run: async (stage) => {
      const victim = await stage.as('victim', '/explore')
      await victim.reloadUntil(() => victim.page.locator('.grid li'))
      await victim.seesImages()
      await victim.picture('explore')
    },
  },
  {
    name: 'a private account shows its photos to those whom it accepted only',
    run: async (stage) => {
      const owner = await stage.as('private', '/settings')
      await owner.page.getByLabel('Private account').check()
      await owner.page.reload()
      await owner.page.locator('input:checked').first().waitFor()
      await owner.picture('settings')
      const { handle, displayName } = stage.person('private')
      const asker = await stage.as('asker', `/@${handle}`)
      await asker.sees('This account is private.')
      await asker.button(`Follow ${displayName}`).click()
      await asker.button(`Requested ${displayName}`).waitFor()
      await asker.picture('requested')
      await owner.open('/requests')
      const accept = owner.button(`Accept ${stage.person('asker').displayName}`)
      await accept.waitFor()
      await owner.picture('requests')
      await accept.click()
      await owner.sees('Nobody is waiting for your answer.')
      await asker.reloadUntil(() => asker.page.locator('.grid li'))
      await asker.seesImages()
    },
  },
  {
    name: 'who is blocked finds nobody',
    run: async (stage) => {
      const victim = await stage.as('victim', `/@${stage.person('troll').handle}`)
      const { displayName } = stage.person('troll')
      await victim.choose(victim.button(`More actions for ${displayName}`), `Block ${displayName}`)
      await victim.picture('block')
      await victim.button('Block', victim.page.getByRole('dialog')).click()
      await victim.sees(`${displayName} is blocked.`)
      const { handle } = stage.person('victim')
      const troll = await stage.as('troll', `/@${handle}`)
      await troll.sees(`There is nobody with the name @${handle}.`)
      await troll.picture('blocked')
    },
  },
]
