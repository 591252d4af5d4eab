import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { Flow } from '../stage'

const CAPTION = 'Another caption, with #words and @ada'

export const account: readonly Flow[] = [
  {
    name: 'a post is edited',
    run: async (stage) => {
      const editor = await stage.as('editor', `/@${stage.person('editor').handle}`)
      const { page } = editor
      await page.locator('.grid a').first().click()
      await editor.choose(editor.button('More actions', page.getByRole('dialog')).first(), 'Edit')
      const form = page.getByRole('dialog', { name: 'Edit the post' })
      await form.getByLabel('Caption').fill(CAPTION)
      await editor.picture('edit')
      await editor.button('Save', form).click()
      await form.waitFor({ state: 'hidden' })
      await page.reload()
      const viewer = page.getByRole('dialog')
      await viewer.getByText('Another caption, with').filter({ visible: true }).first().waitFor()
      await viewer.getByRole('link', { name: '@ada', exact: true }).waitFor()
    },
  },
  {
    name: 'a post is deleted',
    run: async (stage) => {
      const path = `/@${stage.person('editor').handle}`
      const editor = await stage.as('editor', path)
      const { page } = editor
      await page.locator('.grid a').first().click()
      await editor.choose(editor.button('More actions', page.getByRole('dialog')).first(), 'Delete')
      await editor.sees('Your photo is deleted.')
      await editor.picture('deleted')
      await page.reload()
      await editor.reloadUntil(() => page.getByText('You have not posted any photos yet.'))
    },
  },
  {
    name: 'a copy of everything is downloaded',
    run: async (stage) => {
      const leaver = await stage.as('leaver', '/settings')
      const [download] = await Promise.all([
        leaver.page.waitForEvent('download'),
        leaver.page.getByRole('button', { name: 'Download your data' }).click(),
      ])
      assert.equal(download.suggestedFilename(), 'photofeed.zip')
      assert.equal(
        readFileSync(await download.path())
          .subarray(0, 2)
          .toString(),
        'PK',
      )
      await leaver.button('Download your data').click()
      await leaver.sees('An export was made less than a minute ago.')
    },
  },
  {
    name: 'an account is deleted after its name was typed',
    run: async (stage) => {
      const { handle } = stage.person('leaver')
      const leaver = await stage.as('leaver', '/settings')
      const { page } = leaver
      await leaver.button('Delete your account').click()
      const dialog = page.getByRole('dialog', { name: 'Delete your account?' })
      assert.equal(await leaver.button('Delete forever', dialog).isDisabled(), true)
      await dialog.getByRole('textbox').fill(handle)
      await leaver.picture('delete-account')
      await leaver.button('Delete forever', dialog).click()
      await leaver.sees('Your account is deleted.')
      await page.getByRole('heading', { name: 'Sign in' }).waitFor()
      const reader = await stage.as('reader', `/@${handle}`)
      await reader.sees(`There is nobody with the name @${handle}.`)
    },
  },
]
