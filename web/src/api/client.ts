import { Problem } from './problem'

/** Where the client gets its bearer token, and how it gets a fresh one when the server no longer takes it. */
export interface Credentials {
  token(): string | null
  renew(): Promise<boolean>
}

export interface RequestOptions {
  signal?: AbortSignal
  /** Lets the request outlive the page; the browser limits such bodies to 64 KB in all. */
  keepalive?: boolean
}

const ANONYMOUS: Credentials = { token: () => null, renew: async () => false }

/** JSON over HTTP with a bearer token. Every failure is thrown as a `Problem`, aborts as they are. */
export class ApiClient {
  constructor(
    private readonly credentials: Credentials = ANONYMOUS,
    private readonly base = '/v1',
    private readonly send: typeof fetch = (...request) => fetch(...request),
  ) {}

  get<T>(path: string, options?: RequestOptions): Promise<T> {
    return this.json<T>('GET', path, undefined, options)
  }

  post<T>(path: string, body?: unknown, options?: RequestOptions): Promise<T> {
    return this.json<T>('POST', path, body, options)
  }

  put<T>(path: string, body?: unknown, options?: RequestOptions): Promise<T> {
    return this.json<T>('PUT', path, body, options)
  }

  delete<T>(path: string, options?: RequestOptions): Promise<T> {
    return this.json<T>('DELETE', path, undefined, options)
  }

  /** The body of a reply that arrives in pieces, as Server-Sent Events do. */
  async stream(path: string, options?: RequestOptions): Promise<ReadableStream<Uint8Array>> {
    const reply = await this.request('GET', path, undefined, options, 'text/event-stream')
    if (!reply.body) throw new Problem(reply.status, 'no-body', 'The server sent an empty stream.')
    return reply.body
  }

  private async json<T>(method: string, path: string, body?: unknown, options?: RequestOptions): Promise<T> {
    const reply = await this.request(method, path, body, options, 'application/json')
    const text = await reply.text()
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  private async request(
    method: string,
    path: string,
    body: unknown,
    options: RequestOptions = {},
    accept: string,
  ): Promise<Response> {
    const attempt = () => this.once(method, path, body, options, accept)
    let reply = await attempt()
    if (reply.status === 401 && (await this.credentials.renew())) reply = await attempt()
    if (!reply.ok) throw await Problem.from(reply)
    return reply
  }

  private async once(
    method: string,
    path: string,
    body: unknown,
    options: RequestOptions,
    accept: string,
  ): Promise<Response> {
    const token = this.credentials.token()
    const headers: Record<string, string> = { accept }
    if (token) headers.authorization = `Bearer ${token}`
    if (body !== undefined) headers['content-type'] = 'application/json'
    try {
      return await this.send(this.base + path, {
        method,
        headers,
        ...options,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    } catch (error) {
      // fetch rejects with a TypeError when no reply came; anything else (an abort) is the caller's own doing.
      throw error instanceof TypeError ? Problem.unreachable() : error
    }
  }
}
