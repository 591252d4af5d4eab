import { newId } from './ids.js'
import { Problem } from './problem.js'
import { pauseAfter, RETRIES, type Retries } from './retries.js'
import { ENGLISH, type Texts } from './texts.js'

/** Supplies the bearer token, and replaces it when the server refuses it. */
export interface Credentials {
  token(): string | null
  /** @returns whether another token than `refused` is available now */
  renew(refused: string | null): Promise<boolean>
}

export interface RequestOptions {
  signal?: AbortSignal
  /** The request continues after the page is closed; the browser limits the total size of such bodies to 64 KB. */
  keepalive?: boolean
  headers?: Record<string, string>
}

export interface ClientOptions {
  /** A token, or where to get one. */
  credentials?: Credentials | string
  /** Headers of every request, such as `X-Photofeed-App` of an app that has a session cookie. */
  headers?: Record<string, string>
  /** The address of the API, with `/v1`. */
  base?: string
  send?: typeof fetch
  retries?: Retries
  texts?: () => Texts
  /** Waits for a number of milliseconds. */
  pause?: (ms: number) => Promise<void>
}

const ANONYMOUS: Credentials = { token: () => null, renew: async () => false }

/**
 * JSON over HTTP with a bearer token or a session cookie. Failures are thrown as `Problem`; aborts are rethrown unchanged.
 *
 * Requests are sent again after a lost connection, 429, 502, 503 and 504, as long as `Retry-After` asks to wait. Every
 * POST has an `Idempotency-Key`, so that a repeated call is done once.
 */
export class ApiClient {
  readonly pause: (ms: number) => Promise<void>
  readonly texts: () => Texts
  readonly send: typeof fetch
  readonly retries: Retries
  private readonly credentials: Credentials
  private readonly base: string
  private readonly headers: Record<string, string>

  constructor(options: ClientOptions = {}) {
    const { credentials = ANONYMOUS } = options
    this.credentials =
      typeof credentials === 'string' ? { ...ANONYMOUS, token: () => credentials } : credentials
    this.base = options.base ?? '/v1'
    this.headers = options.headers ?? {}
    this.send = options.send ?? ((...request) => fetch(...request))
    this.retries = options.retries ?? RETRIES
    this.texts = options.texts ?? (() => ENGLISH)
    this.pause = options.pause ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms)))
  }

  get<T>(path: string, options?: RequestOptions): Promise<T> {
    return this.json<T>('GET', path, undefined, options)
  }

  post<T>(path: string, body?: unknown, options?: RequestOptions): Promise<T> {
    return this.json<T>('POST', path, body, options)
  }

  put<T>(path: string, body?: unknown, options?: RequestOptions): Promise<T> {
    return this.json<T>('PUT', path, body, options)
  }

  patch<T>(path: string, body?: unknown, options?: RequestOptions): Promise<T> {
    return this.json<T>('PATCH', path, body, options)
  }

  delete<T>(path: string, options?: RequestOptions): Promise<T> {
    return this.json<T>('DELETE', path, undefined, options)
  }

  /** The body of a reply that is a file, such as the archive of an account. */
  async file(path: string, options?: RequestOptions): Promise<Blob> {
    return (await this.request('GET', path, undefined, options, '*/*')).blob()
  }

  /** The body of a streamed reply, such as server-sent events; null after 204, the end of all events. */
  async stream(path: string, options?: RequestOptions): Promise<ReadableStream<Uint8Array> | null> {
    const reply = await this.request('GET', path, undefined, options, 'text/event-stream')
    if (reply.status === 204) return null
    if (!reply.body) throw new Problem(reply.status, 'no-body', this.texts().emptyStream)
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
    const headers: Record<string, string> = { accept, ...this.headers, ...options.headers }
    if (body !== undefined) headers['content-type'] = 'application/json'
    // Events have ids of their own.
    if (method === 'POST' && path !== '/events') headers['idempotency-key'] ??= newId()
    const request: RequestInit = {
      method,
      ...(options.signal ? { signal: options.signal } : {}),
      ...(options.keepalive ? { keepalive: true } : {}),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }
    const attempt = () => this.withRetries(path, request, headers)
    const token = this.credentials.token()
    let reply = await attempt()
    if (reply.status === 401 && (await this.credentials.renew(token))) reply = await attempt()
    if (!reply.ok) throw await Problem.from(reply)
    return reply
  }

  private async withRetries(
    path: string,
    request: RequestInit,
    headers: Record<string, string>,
  ): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      const reply = await this.once(path, request, headers)
      // A page that is closing does not wait.
      const pause = request.keepalive ? null : pauseAfter(reply, attempt, this.retries)
      if (pause === null) {
        if (reply) return reply
        throw new Problem(0, 'unreachable', this.texts().unreachable)
      }
      await this.pause(pause)
      request.signal?.throwIfAborted()
    }
  }

  /** @returns null if no reply arrived */
  private async once(
    path: string,
    request: RequestInit,
    headers: Record<string, string>,
  ): Promise<Response | null> {
    const token = this.credentials.token()
    const signed = token ? { ...headers, authorization: `Bearer ${token}` } : headers
    try {
      return await this.send(this.base + path, { ...request, headers: signed })
    } catch (error) {
      // fetch rejects with a TypeError if no reply arrived; anything else is an abort by the caller.
      if (error instanceof TypeError) return null
      throw error
    }
  }
}
