import { createHash } from 'node:crypto'

/** What a request is answered with. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export interface RefusalOptions {
  /** Seconds after which asking again makes sense. */
  readonly retryAfter?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** A refusal that a person can read, in the form that RFC 7030 section 4.2.3 asks for: one sentence and one remedy. */
export function refusal(status: number, sentence: string, remedy: string, options: RefusalOptions = {}): Answer {
  const retry = options.retryAfter === undefined ? {} : { 'Retry-After': String(options.retryAfter) }
  return {
    status,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', ...retry, ...options.headers },
    body: Buffer.from(`${sentence}\n  ${remedy}\n`),
  }
}

/** 401 with the challenge that HTTP demands of it. */
export function unauthorised(sentence: string, remedy: string): Answer {
  return refusal(401, sentence, remedy, { headers: { 'WWW-Authenticate': 'Basic realm="loghop enrolment", charset="UTF-8"' } })
}

/** What `If-None-Match` may spare: 304 when the client has these octets already. */
export function cached(contentType: string, body: Buffer, ifNoneMatch: string | undefined): Answer {
  const tag = `"${createHash('sha256').update(body).digest('base64url')}"`
  const headers = { 'Content-Type': contentType, 'Cache-Control': 'no-cache', ETag: tag }
  const isKnown = (ifNoneMatch ?? '').split(',').some((one) => one.trim().replace(/^W\//, '') === tag || one.trim() === '*')
  return isKnown ? { status: 304, headers: { ETag: tag }, body: Buffer.alloc(0) } : { status: 200, headers, body }
}
