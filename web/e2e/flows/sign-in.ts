import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Actor, Flow } from '../stage'

/** Everything that scripts of the page could read. */
async function readable(actor: Actor): Promise<string> {
  return actor.page.evaluate(() => JSON.stringify([{ ...localStorage }, document.cookie]))
}

export const signIn: readonly Flow[] = [
  {
    name: 'a demo account is chosen, and scripts can read no credentials',
    run: async (stage) => {
      const visitor = await stage.visitor()
      const { displayName, handle } = stage.person('reader')
      await visitor.open('/')
      await visitor.page.getByRole('heading', { name: 'Sign in' }).waitFor()
      await visitor.page.getByLabel('Search people by name').fill(displayName)
      await visitor.picture('sign-in')
      await visitor.button(new RegExp(`@${handle}`)).click()
      await visitor.page.getByRole('article').first().waitFor()
      assert.equal(await readable(visitor), '[{},""]')
      const cookies = await visitor.context.cookies()
      assert.deepEqual(
        cookies.map(({ name, httpOnly, sameSite }) => [name, httpOnly, sameSite]),
        [['photofeed-session', true, 'Lax']],
      )
      await visitor.page.reload()
      await visitor.page.getByRole('article').first().waitFor()
    },
  },
  {
    name: 'sign-in at the identity provider leads back to the photo that was asked for',
    run: async (stage) => {
      const visitor = await stage.visitor()
      const { page } = visitor
      const path = `/p/${stage.world.posts[0]}`
      await visitor.open(path)
      await page.getByRole('link', { name: 'Sign in with your account' }).click()
      await page.waitForURL((url) => url.origin === stage.world.provider)
      await page.locator('input[name=login]').fill(`oidc_${stage.size}`)
      await page.locator('input[name=password]').fill('any')
      await page.locator('button[type=submit]').click()
      await page.locator('button[type=submit]', { hasText: 'Continue' }).click()
      await page.waitForURL(`**${path}`)
      await page.getByRole('dialog').getByRole('img').first().waitFor()
      await visitor.picture('after-sign-in')
      assert.equal(await readable(visitor), '[{},""]')
      await visitor.open('/settings')
      await visitor.sees(`oidc_${stage.size} of the provider`)
      await visitor.button('Sign out').click()
      await page.waitForURL((url) => url.origin === stage.world.provider)
      await page.getByRole('button', { name: /yes/i }).click()
      await page.waitForURL((url) => url.origin === stage.world.url)
      await page.getByRole('link', { name: 'Sign in with your account' }).waitFor()
      assert.deepEqual(await visitor.context.cookies(stage.world.url), [])
    },
  },
  {
    name: 'a sign-in that is refused says so and can be repeated',
    run: async (stage) => {
      const visitor = await stage.visitor()
      await visitor.open('/v1/session/callback?code=forged&state=forged')
      await visitor.sees('The sign-in took too long, or began in another browser.')
      await visitor.picture('sign-in-refused')
    },
  },
  {
    name: 'a link from outside opens its photo after sign-in, and closes to the author',
    run: async (stage) => {
      const visitor = await stage.visitor()
      const { page } = visitor
      const path = `/p/${stage.world.posts[1]}`
      const preview = await visitor.context.request.get(path)
      assert.match(await preview.text(), /property="og:image"/)
      await visitor.open(path)
      await page.getByLabel('Search people by name').fill(stage.person('reader').displayName)
      await visitor.button(new RegExp(`@${stage.person('reader').handle}`)).click()
      await page.getByRole('dialog').getByRole('img').first().waitFor()
      assert.equal(new URL(page.url()).pathname, path)
      await visitor.button('Close').first().click()
      await page.getByRole('heading', { level: 1, name: /Ada|Ben|Cleo/ }).waitFor()
    },
  },
  {
    name: 'an expired session leads to sign-in and back to its page',
    run: async (stage) => {
      const reader = await stage.as('reader', '/saved')
      const { page } = reader
      await page.getByRole('heading', { level: 1 }).waitFor()
      // The server ends the session; this browser does not know it yet.
      const [cookie] = await reader.context.cookies()
      const reply = await fetch(`${stage.world.url}/v1/session`, {
        method: 'DELETE',
        headers: { cookie: `${cookie?.name}=${cookie?.value}`, 'x-photofeed-app': 'e2e' },
      })
      assert.equal(reply.status, 200)
      await page.getByRole('link', { name: 'Liked' }).click()
      await reader.sees('Your session has ended.')
      await reader.picture('session-ended')
      assert.equal(new URL(page.url()).pathname, '/liked')
      await page.getByLabel('Search people by name').fill(stage.person('reader').displayName)
      await reader.button(new RegExp(`@${stage.person('reader').handle}`)).click()
      await page.getByRole('link', { name: 'Liked' }).waitFor()
      assert.equal(new URL(page.url()).pathname, '/liked')
    },
  },
  {
    name: 'another origin can neither act nor read with the session',
    run: async (stage) => {
      const other = createServer((_, response) => {
        response.setHeader('content-type', 'text/html').end('<!doctype html><title>evil</title><form></form>')
      })
      await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening))
      try {
        const reader = await stage.as('reader', '/')
        await reader.page.getByRole('article').first().waitFor()
        const post = `${stage.world.url}/v1/posts/${stage.world.posts[0]}`
        // Another port of this host: the same site, so the browser sends the cookie.
        await reader.open(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`)
        const read = await reader.page.evaluate(
          (url) => fetch(`${url}/v1/me`, { credentials: 'include' }).then(String, () => 'refused'),
          stage.world.url,
        )
        assert.equal(read, 'refused')
        const written = await reader.page.evaluate(
          (url) =>
            fetch(`${url}/like`, {
              method: 'PUT',
              credentials: 'include',
              headers: { 'x-photofeed-app': 'web', 'content-type': 'application/json' },
              body: '{}',
            }).then(String, () => 'refused'),
          post,
        )
        assert.equal(written, 'refused')
        const [form] = await Promise.all([
          reader.page.waitForResponse((response) => response.url().endsWith('/comments')),
          reader.page.evaluate((url) => {
            const form = document.forms[0]
            if (!form) throw new Error('the page has no form')
            form.action = `${url}/comments`
            form.method = 'post'
            form.enctype = 'text/plain'
            form.innerHTML = '<input name=\'{"text":"forged","a":"\' value=\'"}\'>'
            form.submit()
          }, post),
        ])
        assert.equal(form.status(), 403)
        assert.match(await form.text(), /cross_origin/)
        const comments = await reader.context.request.get(`${post}/comments`)
        assert.doesNotMatch(await comments.text(), /forged/)
      } finally {
        other.close()
      }
    },
  },
]
