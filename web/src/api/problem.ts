/** A request that failed, told in the words of its application/problem+json reply (RFC 9457). */
export class Problem extends Error {
  override readonly name = 'Problem'

  /**
   * @param status HTTP status; 0 when no reply came at all
   * @param code stable machine-readable code of the API, or one of ours where the reply had none
   * @param detail one sentence for the person in front of the screen
   */
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
  ) {
    super(detail)
  }

  /** Worth trying again later without changing anything. */
  get isTransient(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }

  static unreachable(): Problem {
    return new Problem(0, 'unreachable', 'The server cannot be reached. Check that it is running.')
  }

  /** Reads the problem out of a failed reply; replies that are not problem+json are told by their status. */
  static async from(reply: Response): Promise<Problem> {
    const text = await reply.text()
    const body = reply.headers.get('content-type')?.includes('json') ? parseObject(text) : {}
    const said = [body.detail, body.title].find((words) => typeof words === 'string' && words !== '')
    const detail =
      typeof said === 'string' ? said : `The server answered ${reply.status} ${reply.statusText}`.trim()
    return new Problem(reply.status, typeof body.code === 'string' ? body.code : 'unknown', detail)
  }
}

/** The sentence to show for anything that was thrown. */
export function wordsFor(error: unknown): string {
  if (error instanceof Problem) return error.detail
  return error instanceof Error ? error.message : String(error)
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    // A proxy in between may label its own page as JSON; the status still tells what happened.
    return {}
  }
}
