// A real OpenID provider on 127.0.0.1, for tests: node provider.mjs PORT JWKS_FILE API_URL. It signs with the first key.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(new URL('../../web/package.json', import.meta.url))
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')))

const [port, jwks, api] = process.argv.slice(2)
const issuer = `http://127.0.0.1:${port}`
const secret = 'a secret of the tests, and of nothing else'
const signIn = {
  redirect_uris: [`${api}/v1/session/callback`],
  post_logout_redirect_uris: [`${api}/sign-in`],
  response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token'],
  application_type: 'native',
}
const provider = new Provider(issuer, {
  jwks: JSON.parse(readFileSync(jwks, 'utf8')),
  clients: [
    {
      client_id: 'machine',
      client_secret: secret,
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
    { client_id: 'photofeed', client_secret: secret, ...signIn },
    { client_id: 'photofeed-public', token_endpoint_auth_method: 'none', ...signIn },
  ],
  scopes: ['openid', 'user', 'profile'],
  claims: { openid: ['sub'], profile: ['name', 'preferred_username', 'roles'] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_, client) => (client.grantTypeAllowed('refresh_token') ? undefined : 'urn:photofeed'),
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'user',
        audience: 'photofeed',
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      name: `${id} of the provider`,
      preferred_username: id,
      roles: id.startsWith('moderator') ? ['moderator', 'service'] : [],
    }),
  }),
  cookies: { keys: ['cookies of the tests'] },
})
provider.listen(Number(port), '127.0.0.1', () => console.log(`ready ${issuer}`))
