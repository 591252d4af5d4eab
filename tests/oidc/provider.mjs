// A real OpenID provider on 127.0.0.1, for tests: node provider.mjs PORT JWKS_FILE. It signs with the first key.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(new URL('../../web/package.json', import.meta.url))
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')))

const [port, jwks] = process.argv.slice(2)
const issuer = `http://127.0.0.1:${port}`
const provider = new Provider(issuer, {
  jwks: JSON.parse(readFileSync(jwks, 'utf8')),
  clients: [
    {
      client_id: 'machine',
      client_secret: 'a secret of the tests, and of nothing else',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
    {
      client_id: 'app',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['http://127.0.0.1/callback'],
      response_types: ['code'],
      grant_types: ['authorization_code'],
      application_type: 'native',
    },
  ],
  scopes: ['openid', 'user'],
  pkce: { required: () => true },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'urn:photofeed',
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'user',
        audience: 'photofeed',
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  cookies: { keys: ['cookies of the tests'] },
})
provider.listen(Number(port), '127.0.0.1', () => console.log(`ready ${issuer}`))
