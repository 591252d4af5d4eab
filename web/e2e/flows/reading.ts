import assert from 'node:assert/strict'
import type { Flow } from '../stage'

export const reading: readonly Flow[] = [
  {
    name: 'the viewer shows whole photos, steps to the next, and Back closes it',
    run: async (stage) => {
      const reader = await stage.as('reader', `/@${stage.world.authors.ada.handle}`)
      const { page } = reader
      await page.locator('.grid a').first().click()
      const viewer = page.getByRole('dialog')
      await viewer.getByRole('img').first().waitFor()
      const first = new URL(page.url()).pathname
      await page.keyboard.press('ArrowRight')
      await page.waitForURL((url) => url.pathname !== first)
      await reader.picture('viewer')
      await page.goBack()
      await viewer.waitFor({ state: 'hidden' })
      assert.equal(new URL(page.url()).pathname, `/@${stage.world.authors.ada.handle}`)
    },
  },
  {
    name: 'everything can be reached with the keyboard',
    run: async (stage) => {
      const reader = await stage.as('reader', '/')
      const { page } = reader
      await page.getByRole('article').first().waitFor()
      const focused = () => page.evaluate(() => document.activeElement?.textContent ?? '')
      await page.keyboard.press('Tab')
      assert.equal(await focused(), 'Skip to content')
      await page.keyboard.press('Enter')
      assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'MAIN')
      const menu = reader.button('More actions').first()
      await menu.focus()
      await page.keyboard.press('Enter')
      const entries = page.getByRole('menuitem')
      await entries.and(page.locator(':focus')).waitFor()
      await page.keyboard.press('ArrowDown')
      await entries.filter({ hasText: 'Hide this photo' }).and(page.locator(':focus')).waitFor()
      await reader.picture('menu')
      await page.keyboard.press('Escape')
      assert.equal(await menu.evaluate((element) => element === document.activeElement), true)
    },
  },
  {
    name: 'the app speaks German, and is dark where the system is',
    run: async (stage) => {
      const reader = await stage.as('reader', '/settings', { colorScheme: 'dark' })
      const { page } = reader
      await page.getByRole('combobox', { name: 'Language' }).selectOption({ label: 'Deutsch' })
      await page.getByRole('heading', { name: 'Einstellungen' }).waitFor()
      await reader.picture('german-settings')
      await reader.open('/')
      await reader.seesImages()
      assert.equal(await page.evaluate(() => document.documentElement.lang), 'de')
      await reader.picture('german-dark-feed')
    },
  },
]
