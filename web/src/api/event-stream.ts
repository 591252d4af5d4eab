export interface ServerSentEvent {
  event: string
  data: string
}

/**
 * Yields the events of a `text/event-stream` body as they arrive.
 *
 * EventSource cannot send an Authorization header, so the stream is read by hand: blocks end at an empty line,
 * `data` lines of one block are joined, lines that begin with a colon are keep-alives.
 */
export async function* serverSentEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let pending = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      // A CR at the end of a chunk may be half of a CRLF, so line ends are made alike only once the LF is there.
      pending = (pending + decoder.decode(value, { stream: !done })).replaceAll('\r\n', '\n')
      const blocks = pending.split('\n\n')
      pending = done ? '' : (blocks.pop() ?? '')
      for (const block of blocks) {
        const event = parseBlock(block)
        if (event) yield event
      }
      if (done) return
    }
  } finally {
    await reader.cancel()
  }
}

function parseBlock(block: string): ServerSentEvent | null {
  let event = 'message'
  const data: string[] = []
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') event = value
    else if (field === 'data') data.push(value)
  }
  return data.length > 0 ? { event, data: data.join('\n') } : null
}
