export interface ServerSentEvent {
  event: string
  data: string
  /** To be sent as `Last-Event-ID` when the stream is opened again; most events of some streams have none. */
  id?: string
}

/**
 * Yields the events of a `text/event-stream` body as they arrive.
 *
 * EventSource cannot send an Authorization header, so this function parses the stream: an empty line ends a block,
 * the `data` lines of a block are joined, and lines that start with a colon are keep-alives.
 *
 * @param onRetry called with the milliseconds of a `retry` line
 */
export async function* serverSentEvents(
  body: ReadableStream<Uint8Array>,
  onRetry: (ms: number) => void = () => {},
): AsyncGenerator<ServerSentEvent> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let pending = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      // A CR at the end of a chunk may be half of a CRLF, so CRLF is replaced only after the LF has arrived.
      pending = (pending + decoder.decode(value, { stream: !done })).replaceAll('\r\n', '\n')
      const blocks = pending.split('\n\n')
      pending = done ? '' : (blocks.pop() ?? '')
      for (const block of blocks) {
        const { event, data, id, retry } = parseBlock(block)
        if (retry !== undefined) onRetry(retry)
        if (data !== null) yield { event, data, ...(id === undefined ? {} : { id }) }
      }
      if (done) return
    }
  } finally {
    await reader.cancel()
  }
}

interface Block {
  event: string
  data: string | null
  id?: string
  retry?: number
}

function parseBlock(block: string): Block {
  const parsed: Block = { event: 'message', data: null }
  const data: string[] = []
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') parsed.event = value
    else if (field === 'data') data.push(value)
    else if (field === 'id') parsed.id = value
    else if (field === 'retry' && /^\d+$/.test(value)) parsed.retry = Number(value)
  }
  return data.length > 0 ? { ...parsed, data: data.join('\n') } : parsed
}
