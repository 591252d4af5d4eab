// Uploads a file with the three-line client of docs and README, which stands below unmodified.
// node three_lines.mjs <base url> <token> <file> <media type> <caption>
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'

const [baseUrl, token, file, type, caption] = process.argv.slice(2)
const imageFile = new File([await readFile(file)], basename(file), { type }) // as an <input type="file"> gives it

const api = {
  async post(path, body) {
    const reply = await fetch(`${baseUrl}/v1${path}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: body && JSON.stringify(body),
    })
    if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`)
    return reply.json()
  },
}

const { uploadUrl, photoId } = await api.post('/photos/initiate')
await fetch(uploadUrl, { method: 'PUT', body: imageFile })
await api.post(`/photos/${photoId}/complete`, { caption })

console.log(photoId)
