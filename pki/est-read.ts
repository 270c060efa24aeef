import type { IncomingMessage } from 'node:http'

export type BodyRead =
  | { readonly kind: 'body'; readonly text: string }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'too-slow' }
  | { readonly kind: 'gone' }

/** Whether the request says itself that its body is too large; one that says nothing is counted while it is read. */
export function announcesMoreThan(request: IncomingMessage, limitBytes: number): boolean {
  const length = request.headers['content-length']
  return length !== undefined && Number(length) > limitBytes
}

/** Reads a body of at most `limitBytes` within `limitMs`. After `too-large` and `too-slow` what is left of it has not been read. */
export function readBody(request: IncomingMessage, limitBytes: number, limitMs: number): Promise<BodyRead> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let size = 0
    const finish = (read: BodyRead): void => {
      clearTimeout(deadline)
      request.off('data', onData).off('end', onEnd).off('close', onGone).off('error', onGone)
      request.on('error', () => undefined)
      request.pause()
      resolve(read)
    }
    const onData = (chunk: Buffer): void => {
      size += chunk.length
      if (size > limitBytes) finish({ kind: 'too-large' })
      else chunks.push(chunk)
    }
    const onEnd = (): void => finish({ kind: 'body', text: Buffer.concat(chunks).toString('latin1') })
    const onGone = (): void => finish({ kind: 'gone' })
    const deadline = setTimeout(() => finish({ kind: 'too-slow' }), limitMs)
    request.on('data', onData).on('end', onEnd).on('close', onGone).on('error', onGone)
  })
}

/** Takes what the peer still sends, and drops it, so that an answer given before is not lost to a reset; resolves at its end or after either limit. */
export function discard(request: IncomingMessage, limitBytes: number, limitMs: number): Promise<void> {
  if (request.complete || request.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    let size = 0
    const finish = (): void => {
      clearTimeout(deadline)
      request.off('data', onData).off('end', finish).off('close', finish)
      resolve()
    }
    const onData = (chunk: Buffer): void => {
      size += chunk.length
      if (size > limitBytes) finish()
    }
    const deadline = setTimeout(finish, limitMs)
    request.on('data', onData).on('end', finish).on('close', finish).resume()
  })
}
