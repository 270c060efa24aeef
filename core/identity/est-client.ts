// Asks an authority by EST, RFC 7030: FORMAT.md has the requests.

import type { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { type Address, formatAddress } from '../base/address.ts'
import { LoghopError } from '../base/errors.ts'
import { printable } from '../base/printable.ts'
import { certificateFacts, dayOf } from '../transport/certificate.ts'
import type { RevocationCheck } from '../transport/tls-policy.ts'

const CONNECT_LIMIT_MS = 10_000
const ANSWER_LIMIT_MS = 30_000
const REFUSAL_LIMIT_BYTES = 4096
const CHAIN_LIMIT = 10
const RETRY_AFTER_LIMIT_SECONDS = 3600

export const CERTIFICATES_LIMIT_BYTES = 1 << 20
export const LISTS_LIMIT_BYTES = 64 << 20

const UNREACHABLE =
  'Check that "loghop pki serve" runs there, the name, the port and the way; it is tried again by itself where a daemon asks'

/** Whom to ask, and how to know that it is the right one. */
export interface EstServer {
  readonly address: Address
  /** Trusted roots, PEM. */
  readonly ca: string
  readonly revoked: RevocationCheck
  /** Our identity, for what needs one. */
  readonly client?: { readonly key: string; readonly cert: string } | undefined
  /** Whether a trusted certificate may be no root itself: while joining, all that is known is a digest. */
  readonly allowPartialChain?: boolean
}

export interface EstRequest {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly limitBytes: number
}

export interface EstAnswer {
  /** 304: nothing has changed. */
  readonly status: 200 | 304
  readonly body: Buffer
  readonly tag: string | undefined
}

/** The server answered, and said no. `retryAfterMs` when it said when to come again. */
export class EstRefused extends LoghopError {
  readonly status: number
  readonly retryAfterMs: number | undefined

  constructor(status: number, sentence: string, remedy: string, retryAfterMs: number | undefined) {
    super('EST_REFUSED', sentence, remedy)
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}

function unreachable(address: Address, error: Error): LoghopError {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined
  const { message } = first instanceof Error ? first : error
  return new LoghopError('EST_UNREACHABLE', `Cannot reach the authority ${formatAddress(address)}: ${message}`, UNREACHABLE, {
    cause: error,
  })
}

function untrusted(address: Address, error: NodeJS.ErrnoException): LoghopError {
  const sentence = `The server at ${formatAddress(address)} is not the authority we trust: ${printable(error.message)}`
  const remedy =
    error.code === 'ERR_TLS_CERT_ALTNAME_INVALID'
      ? `Name it as its certificate does, or start "loghop pki serve" with --name ${printable(address.host)}`
      : error.code === 'CERT_NOT_YET_VALID' || error.code === 'CERT_HAS_EXPIRED'
        ? `Compare the clocks: that of this host says ${dayOf(new Date())}; if it is right, look at the log of "loghop pki serve"`
        : 'Make sure that the address is right, and that nobody stands between; if its root was replaced while this host was away, join again'
  return new LoghopError('EST_UNTRUSTED', sentence, remedy, { cause: error })
}

/** Whether OpenSSL, or the check of the name, has judged the certificate; otherwise it is the network, or a handshake that came to no certificate. */
function isVerdict({ code }: NodeJS.ErrnoException): boolean {
  // Errnos are E and letters, Node's own codes begin with ERR_, verdicts are words such as CERT_HAS_EXPIRED.
  return code === 'ERR_TLS_CERT_ALTNAME_INVALID' || (code !== undefined && !/^(?:E[A-Z0-9]+$|ERR_)/.test(code))
}

/**
 * A certificate that gives its holder a role among hosts is none of an authority's server. A site relay that passes enrolment through has a certificate, from
 * the same root, for the very name that its hosts dial: with it, it could hand out roots of its own.
 */
function roleOf(certificate: X509Certificate): string | undefined {
  try {
    return certificateFacts(certificate).role
  } catch {
    return 'host with a key that cannot be read'
  }
}

function common(address: Address) {
  // An address is no name: RFC 6066 section 3.
  return {
    host: address.host,
    port: address.port,
    ...(isIP(address.host) === 0 ? { servername: address.host } : {}),
    minVersion: 'TLSv1.2' as const,
  }
}

/** Resolves with a connection whose server is proved; nothing has been sent on it. */
function connectChecked(server: EstServer): Promise<TLSSocket> {
  const { address } = server
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...common(address),
      ca: server.ca,
      ...(server.client === undefined ? {} : { key: server.client.key, cert: server.client.cert }),
      ...(server.allowPartialChain === true ? { allowPartialTrustChain: true } : {}),
      rejectUnauthorized: true,
      // A new handshake each time: a session that is taken up again would skip these checks.
      session: undefined,
    })
    const deadline = setTimeout(
      () => fail(unreachable(address, new Error(`no TLS connection within ${CONNECT_LIMIT_MS / 1000} s`))),
      CONNECT_LIMIT_MS,
    )
    const fail = (error: LoghopError): void => {
      clearTimeout(deadline)
      socket.destroy()
      reject(error)
    }
    socket.on('error', (error: NodeJS.ErrnoException) => {
      fail(isVerdict(error) ? untrusted(address, error) : unreachable(address, error))
    })
    socket.once('close', () => fail(unreachable(address, new Error('it closed the connection during the handshake'))))
    socket.once('secureConnect', () => {
      const certificate = socket.getPeerX509Certificate()
      if (!socket.authorized || certificate === undefined) {
        fail(untrusted(address, new Error('its certificate does not verify')))
        return
      }
      const role = roleOf(certificate)
      if (role !== undefined) {
        fail(
          untrusted(address, new Error(`it is the certificate of ${role === 'agent' ? 'an' : 'a'} ${role}, not of an authority's server`)),
        )
        return
      }
      if (server.revoked(certificate) !== undefined) {
        fail(untrusted(address, new Error('its certificate is revoked')))
        return
      }
      clearTimeout(deadline)
      resolve(socket)
    })
  })
}

/** The certificates that a server presents, leaf first, unchecked: to find the one whose digest is known. Nothing is sent. */
export function presentedChain(address: Address): Promise<X509Certificate[]> {
  return new Promise((resolve, reject) => {
    // Unchecked on purpose: all that is done is to look, and what is found is checked by its digest and then by OpenSSL on a connection of its own.
    const socket = connect({ ...common(address), rejectUnauthorized: false })
    const deadline = setTimeout(() => socket.destroy(new Error(`no TLS connection within ${CONNECT_LIMIT_MS / 1000} s`)), CONNECT_LIMIT_MS)
    socket.once('error', (error) => reject(unreachable(address, error)))
    socket.once('close', () => {
      clearTimeout(deadline)
      reject(unreachable(address, new Error('it closed the connection during the handshake')))
    })
    socket.once('secureConnect', () => {
      const chain: X509Certificate[] = []
      for (let one = socket.getPeerX509Certificate(); one !== undefined && chain.length < CHAIN_LIMIT; one = one.issuerCertificate) {
        if (chain.some((before) => before.raw.equals(one!.raw))) break
        chain.push(one)
      }
      resolve(chain)
      socket.destroy()
    })
  })
}

function readBody(response: IncomingMessage, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const tooLong = (): void => {
      response.destroy(new Error(`its answer has over ${limitBytes} bytes`))
    }
    if (Number(response.headers['content-length'] ?? 0) > limitBytes) tooLong()
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > limitBytes) tooLong()
      else chunks.push(chunk)
    })
    response.on('error', reject)
    response.on('close', () => reject(new Error('its answer was cut short')))
    response.on('end', () => resolve(Buffer.concat(chunks)))
  })
}

function refusedBy(address: Address, response: IncomingMessage, body: Buffer): EstRefused {
  const [sentence = '', ...rest] = body.toString('utf8').trim().split('\n')
  const isText = response.headers['content-type']?.startsWith('text/plain') === true && sentence !== ''
  const said = isText ? printable(sentence) : `status ${response.statusCode}`
  const remedy = printable(rest.join(' ').trim()) || 'See the log of the authority'
  const after = Number(response.headers['retry-after'])
  const retryAfterMs = Number.isInteger(after) && after >= 0 ? Math.min(after, RETRY_AFTER_LIMIT_SECONDS) * 1000 : undefined
  return new EstRefused(response.statusCode ?? 0, `The authority ${formatAddress(address)} refused: ${said}`, remedy, retryAfterMs)
}

/**
 * One request on a connection of its own. Nothing is sent before the server is proved.
 * @throws {EstRefused} it said no
 * @throws {LoghopError} EST_UNREACHABLE, EST_UNTRUSTED
 */
export async function askEst(server: EstServer, asked: EstRequest): Promise<EstAnswer> {
  const { address } = server
  // Only now: it brings all of Node's own for fetch with it, which is a tenth of a daemon's start.
  const { request: httpRequest } = await import('node:http')
  const socket = await connectChecked(server)
  let deadline: NodeJS.Timeout | undefined
  try {
    return await new Promise<EstAnswer>((resolve, reject) => {
      deadline = setTimeout(() => socket.destroy(new Error(`no answer within ${ANSWER_LIMIT_MS / 1000} s`)), ANSWER_LIMIT_MS)
      socket.once('close', () => reject(new Error('it closed the connection without an answer')))
      socket.on('error', reject)
      const request = httpRequest({
        method: asked.method,
        path: asked.path,
        headers: {
          Host: formatAddress(address),
          Connection: 'close',
          ...asked.headers,
          ...(asked.body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(asked.body)) }),
        },
        createConnection: () => socket,
      })
      request.on('error', reject)
      request.on('response', (response) => {
        const { statusCode: status } = response
        const limitBytes = status === 200 ? asked.limitBytes : REFUSAL_LIMIT_BYTES
        readBody(response, limitBytes).then((body) => {
          if (status === 200 || status === 304) resolve({ status, body, tag: response.headers.etag })
          else reject(refusedBy(address, response, body))
        }, reject)
      })
      request.end(asked.body)
    })
  } catch (error) {
    throw error instanceof LoghopError ? error : unreachable(address, error as Error)
  } finally {
    clearTimeout(deadline)
    socket.destroy()
  }
}
