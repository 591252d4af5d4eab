// Uploads a photo, reads explore and reports what it saw, with the TypeScript kit.
// node typescript_kit.mjs <kit> <base url> <token> <file>
import { readFile } from 'node:fs/promises'

const [kit, baseUrl, token, path] = process.argv.slice(2)
const { ApiClient, feedItems, Problem, Reporter, uploadPhoto } = await import(kit)

let current = 'expired'
const api = new ApiClient({
  base: `${baseUrl}/v1`,
  credentials: {
    token: () => current,
    renew: async () => {
      current = token
      return true
    },
  },
})
const stages = []
const file = new Blob([await readFile(path)])
const photo = await uploadPhoto(api, { file, caption: 'Grüße', tags: ['sea'] }, ({ stage }) => stages.push(stage))
const seen = []
const failures = []
const reporter = Reporter.of(api, (error) => failures.push(String(error)))
for await (const { post, receipt } of feedItems(api, { path: '/explore', limit: 2 })) {
  seen.push(post.id)
  reporter.report({ type: 'impression', postId: post.id, receipt })
}
await reporter.flush()
const post = await api.get(`/posts/${photo.id}`)
const refusal = await api.get('/posts/11111111111').catch((error) => error)
console.log(
  JSON.stringify({
    stages: [...new Set(stages)],
    status: photo.status,
    caption: post.caption,
    seen,
    failures,
    refusal: refusal instanceof Problem ? refusal.code : String(refusal),
  }),
)
