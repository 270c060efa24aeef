import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../core/base/clock.ts'
import type { Log } from '../core/base/log.ts'
import { openFilesLimit } from '../core/daemon/open-files-limit.ts'
import { RepeatGuard } from '../core/daemon/repeat-guard.ts'
import { type TlsIdentity, tlsPolicy } from '../core/transport/tls-policy.ts'
import { type Answer, refusal } from './est-answer.ts'
import { EST_LIMITS, REQUEST_RATE } from './est-limits.ts'
import { limitedAddress, Rates } from './est-rate.ts'
import { announcesMoreThan, discard, readBody } from './est-read.ts'
import type { EstRequest, EstRoutes } from './est-routes.ts'

// What is still taken from a peer that was answered before it had sent all, so that it can read the answer.
const DISCARD_BYTES = 256 << 10
const DISCARD_MS = 2000
// Node looks at deadlines this often.
const DEADLINE_CHECK_MS = 500

const TOO_LARGE = refusal(
  413,
  `The body is larger than ${EST_LIMITS.bodyBytes} bytes, the limit for a certificate request`,
  'Send a certificate request alone, without anything around it',
)
const TOO_SLOW = refusal(
  408,
  `The body did not arrive within ${EST_LIMITS.bodyMs / 1000} s`,
  'Check the network between here and there, and try again',
)
const OLD_HTTP = refusal(505, 'The request is not HTTP/1.1', 'Speak HTTP/1.1')

function addressOf(socket: Socket): string {
  return socket.remoteAddress ?? 'unknown'
}

function peerOf(socket: Socket): string {
  const address = addressOf(socket).replace(/^::ffff:(?=\d+\.)/i, '')
  return `${address.includes(':') ? `[${address}]` : address}:${socket.remotePort ?? 0}`
}

/** What to say to bytes that are no request. @param code of Node's parser */
function answerToNoRequest(code: string | undefined): Answer {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return refusal(431, `Request line and headers are larger than ${EST_LIMITS.headerBytes} bytes`, 'Send fewer or shorter headers')
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return refusal(408, `No request arrived within ${EST_LIMITS.headersMs / 1000} s`, 'Send the request at once')
  }
  return refusal(400, 'This is not a request of HTTP/1.1', 'Speak HTTP/1.1')
}

function asText(answer: Answer): string {
  const headers = { ...answer.headers, 'Content-Length': String(answer.body.length), Connection: 'close' }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${answer.status} Refused\r\n${lines.join('')}\r\n${answer.body.toString('latin1')}`
}

/** HTTPS with limits: a peer can neither hold a connection for long nor make the server keep much. What is answered is `EstRoutes`' affair. */
export class EstServer {
  readonly #server: Server
  readonly #routes: EstRoutes
  readonly #log: Log
  readonly #rates: Rates
  readonly #repeats: RepeatGuard
  /** Raw sockets, by address; a TLS handshake may still be under way on them. */
  readonly #connections = new Map<string, Set<Socket>>()
  /** Peers with a request that is not answered yet. */
  readonly #busy = new Set<string>()

  constructor(identity: TlsIdentity, routes: EstRoutes, log: Log, clock: Clock) {
    this.#routes = routes
    this.#log = log
    this.#rates = new Rates(REQUEST_RATE, clock)
    this.#repeats = new RepeatGuard(clock)
    this.#server = createServer({
      ...tlsPolicy(identity),
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: EST_LIMITS.handshakeMs,
      maxHeaderSize: EST_LIMITS.headerBytes,
      headersTimeout: EST_LIMITS.headersMs,
      requestTimeout: EST_LIMITS.headersMs + EST_LIMITS.bodyMs + DISCARD_MS,
      connectionsCheckingInterval: DEADLINE_CHECK_MS,
      keepAliveTimeout: EST_LIMITS.idleMs,
      insecureHTTPParser: false,
    })
    // A peer that takes nothing of its answer.
    this.#server.setTimeout(EST_LIMITS.stalledMs)
    this.#server.maxRequestsPerSocket = EST_LIMITS.requestsPerConnection
    this.#server.maxConnections = Math.min(EST_LIMITS.connections, Math.floor(openFilesLimit() / 2))
    this.#server.on('connection', (socket: Socket) => this.#counted(socket))
    this.#server.on('tlsClientError', (error, socket) => {
      this.#log.debug('handshake-failed', error.message, {})
      // Without this the server keeps the socket of a failed or idle handshake open for ever.
      socket.destroy()
    })
    this.#server.on('clientError', (error, socket) => this.#noRequest(error, socket as Socket))
    this.#server.on('request', (request, response) => this.#handle(request, response, false))
    this.#server.on('checkContinue', (request, response) => this.#handle(request, response, true))
  }

  /** Resolves with the port that is bound. @throws the errno of bind or listen */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host, port, backlog: 1024 }, () => {
        this.#server.off('error', reject)
        this.#server.on('error', (error) => this.#log.error('listener-failed', error.message, {}))
        const address = this.#server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : port)
      })
    })
  }

  /** New handshakes use the new identity. */
  use(identity: TlsIdentity): void {
    this.#server.setSecureContext(tlsPolicy(identity))
  }

  /** Accepts no more, cuts who has asked nothing, answers who has, and cuts what is left when the signal says so. */
  close(deadline: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const standing = [...this.#connections.values()].flatMap((sockets) => [...sockets])
      const cut = (): void => {
        for (const socket of standing) socket.destroy()
      }
      deadline.addEventListener('abort', cut, { once: true })
      this.#server.close(() => {
        deadline.removeEventListener('abort', cut)
        resolve()
      })
      for (const socket of standing) if (!this.#busy.has(peerOf(socket))) socket.destroy()
      if (deadline.aborted) cut()
    })
  }

  #counted(socket: Socket): void {
    const address = limitedAddress(addressOf(socket))
    const standing = this.#connections.get(address) ?? new Set()
    if (standing.size >= EST_LIMITS.connectionsPerAddress) {
      socket.destroy()
      const text = `Closed a connection from ${address}: ${standing.size} stand already, the limit for one address`
      if (this.#repeats.repeated(`connections ${address}`) !== undefined) this.#log.warn('connection-refused', text, {})
      return
    }
    standing.add(socket)
    this.#connections.set(address, standing)
    socket.once('close', () => {
      standing.delete(socket)
      if (standing.size === 0) this.#connections.delete(address)
    })
  }

  #noRequest(error: NodeJS.ErrnoException, socket: Socket): void {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    socket.on('error', () => undefined)
    // The peer may not read, or not end.
    const cut = setTimeout(() => socket.destroy(), DISCARD_MS)
    socket.once('close', () => clearTimeout(cut))
    socket.end(asText(answerToNoRequest(error.code)))
  }

  async #handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    const peer = peerOf(request.socket)
    this.#busy.add(peer)
    response.once('close', () => this.#busy.delete(peer))
    try {
      const answer = await this.#answer(request, response, expectsContinue)
      if (answer !== undefined) await this.#send(request, response, answer)
    } catch (error) {
      this.#log.error('request-failed', `Cannot answer a request: ${(error as Error).message}`, {})
      request.destroy()
    }
  }

  /** @returns undefined when the peer has gone */
  async #answer(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<Answer | undefined> {
    const asked = asEstRequest(request)
    if (request.httpVersion !== '1.1') return OLD_HTTP
    if (!this.#rates.take(asked.address)) {
      const seconds = this.#rates.waitSeconds(asked.address)
      return refusal(429, 'Too many requests came from this address', 'Ask less often', { retryAfter: seconds })
    }
    const routed = this.#routes.route(asked)
    if (routed.kind === 'answer') return routed.answer
    if (announcesMoreThan(request, EST_LIMITS.bodyBytes)) return TOO_LARGE
    if (expectsContinue) response.writeContinue()
    const read = await readBody(request, EST_LIMITS.bodyBytes, EST_LIMITS.bodyMs)
    if (read.kind === 'gone') return undefined
    if (read.kind === 'too-large') return TOO_LARGE
    if (read.kind === 'too-slow') return TOO_SLOW
    return routed.act(read.text)
  }

  async #send(request: IncomingMessage, response: ServerResponse, answer: Answer): Promise<void> {
    response.on('error', () => undefined)
    const { status, headers, body } = answer
    const isLast = !request.complete || status === 505 || !this.#server.listening
    const length = status === 304 ? {} : { 'Content-Length': String(body.length) }
    response.writeHead(status, { ...headers, ...length, ...(isLast ? { Connection: 'close' } : {}) })
    if (body.length > 0) response.write(body)
    // A request without a body is complete a moment after its headers.
    if (isLast) await discard(request, DISCARD_BYTES, DISCARD_MS)
    response.end()
  }
}

function asEstRequest(request: IncomingMessage): EstRequest {
  const socket = request.socket as TLSSocket
  const single = (value: string | string[] | undefined) => (Array.isArray(value) ? value.join(',') : value)
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, single(value)])),
    certificate: socket.getPeerX509Certificate()?.raw,
    from: peerOf(socket),
    address: limitedAddress(addressOf(socket)),
  }
}
