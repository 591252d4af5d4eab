import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { type FakeBrowser, fakeBrowser } from './fake-browser'

const { closePost, navigate, openPost, parseRoute, paths, route, scrollOfEntry, startRouter } = await import(
  '../src/router'
)

let browser: FakeBrowser
beforeEach(() => {
  browser = fakeBrowser('/')
  startRouter()
})

test('every address that the app writes leads back to its page', () => {
  assert.deepEqual(parseRoute(paths.feed), { page: 'feed' })
  assert.deepEqual(parseRoute(paths.explore), { page: 'explore', query: '' })
  assert.deepEqual(parseRoute(paths.search('sea & sky')), { page: 'explore', query: 'sea & sky' })
  assert.deepEqual(parseRoute(paths.tag('été/50%')), { page: 'tag', tag: 'été/50%' })
  assert.deepEqual(parseRoute(paths.profile('chidi.stills')), { page: 'profile', handle: 'chidi.stills' })
  assert.deepEqual(parseRoute(paths.post('p1')), { page: 'post', postId: 'p1' })
  assert.deepEqual(parseRoute(paths.saved), { page: 'saved' })
  assert.deepEqual(parseRoute(paths.liked), { page: 'liked' })
  assert.deepEqual(parseRoute(paths.requests), { page: 'requests' })
  assert.deepEqual(parseRoute(paths.followers('a.b')), {
    page: 'connections',
    handle: 'a.b',
    list: 'followers',
  })
  assert.deepEqual(parseRoute(paths.following('a.b')), {
    page: 'connections',
    handle: 'a.b',
    list: 'following',
  })
  assert.deepEqual(parseRoute(paths.likes('p1')), { page: 'likes', postId: 'p1' })
  assert.deepEqual(parseRoute(paths.upload), { page: 'upload' })
  assert.deepEqual(parseRoute(paths.settings), { page: 'settings' })
  assert.deepEqual(parseRoute(paths.admin), { page: 'admin' })
  assert.deepEqual(parseRoute(paths.health), { page: 'health' })
  assert.deepEqual(parseRoute(paths.explain), { page: 'explain' })
  assert.deepEqual(parseRoute(paths.signIn), { page: 'sign-in' })
})

test('any other address is a page that does not exist', () => {
  for (const address of [
    '/no/such/place',
    '/people',
    '/@',
    '/p',
    '/tags',
    '/p/a/b',
    '/explore/x',
    '/admin/x',
    '/tags/%E0%A4%A',
  ])
    assert.equal(parseRoute(address).page === 'not-found' || address.startsWith('/tags/'), true, address)
  assert.deepEqual(parseRoute('/settings/'), { page: 'settings' })
})

test('a post opens above its page, and Back closes it once and for all', () => {
  navigate('/@ada')
  navigate('/p/1')
  assert.deepEqual([route.value, openPost.value], [{ page: 'profile', handle: 'ada' }, '1'])
  navigate('/p/2')
  navigate('/p/3')
  assert.equal(browser.address(), '/p/3')
  browser.back()
  assert.deepEqual([browser.address(), openPost.value], ['/@ada', null])
  browser.back()
  assert.deepEqual([browser.address(), openPost.value], ['/', null])
})

test('closing a post is going back, so that Back does not open it again', () => {
  navigate('/@ada')
  navigate('/p/1')
  closePost(null)
  assert.equal(browser.address(), '/@ada')
  browser.back()
  assert.equal(browser.address(), '/')
})

test('a post that a link from outside opened closes to its author', () => {
  browser = fakeBrowser('/p/1')
  startRouter()
  assert.deepEqual([route.value, openPost.value], [{ page: 'post', postId: '1' }, '1'])
  closePost('/@ada')
  assert.deepEqual([browser.address(), openPost.value, browser.length()], ['/@ada', null, 1])
})

test('a link inside the viewer leads to a page, and Back opens the post again above the old page', () => {
  navigate('/p/1')
  navigate('/@ada')
  assert.deepEqual([route.value.page, openPost.value], ['profile', null])
  browser.back()
  assert.deepEqual([route.value.page, openPost.value], ['feed', '1'])
})

test('a page that is left keeps its scroll position, and a new one starts at the top', () => {
  navigate('/@ada')
  browser.scrollTo(700)
  navigate('/@bob')
  assert.equal(scrollOfEntry(), 0)
  browser.back()
  assert.equal(scrollOfEntry(), 700)
})
