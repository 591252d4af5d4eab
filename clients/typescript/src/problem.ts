/** A failed request, with the contents of its application/problem+json reply (RFC 9457). */
export class Problem extends Error {
  override readonly name = 'Problem'

  /**
   * @param status HTTP status; 0 if no reply arrived
   * @param code stable machine-readable code of the API, or a code of this client if the reply had none
   * @param detail one sentence to show to the user
   */
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
  ) {
    super(detail)
  }

  /** Whether the session has ended. */
  get isSignedOut(): boolean {
    return this.status === 401
  }

  /** Whether the same request may succeed later. */
  get isTransient(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }

  /** The problem in a failed reply. A reply that is not problem+json is described by its status. */
  static async from(reply: Response): Promise<Problem> {
    const content = await reply.text()
    const body = reply.headers.get('content-type')?.includes('json') ? parseObject(content) : {}
    const text = [body.detail, body.title].find((value) => typeof value === 'string' && value !== '')
    const detail =
      typeof text === 'string' ? text : `The server answered ${reply.status} ${reply.statusText}`.trim()
    return new Problem(reply.status, typeof body.code === 'string' ? body.code : 'unknown', detail)
  }
}

/** The sentence to show for a thrown value. */
export function messageOf(error: unknown): string {
  if (error instanceof Problem) return error.detail
  return error instanceof Error ? error.message : String(error)
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

function parseObject(text: string): { detail?: unknown; title?: unknown; code?: unknown } {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    // A proxy may label its own page as JSON; the status still describes the failure.
    return {}
  }
}
