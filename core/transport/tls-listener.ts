import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { Acceptor, type AcceptorLimits, type AcceptorOptions, type PeerAddress, type Turned } from './acceptor.ts'
import { sourceOf } from './address-rules.ts'
import { type Admission, type AdmissionPolicy, admitClient } from './admission.ts'
import { readFirstBytes } from './first-bytes.ts'
import { handshakeFault } from './handshake-errors.ts'
import { certificatesIn } from './pem.ts'
import { relpFrame } from './relp.ts'
import { type TlsIdentity, tlsPolicy } from './tls-policy.ts'

// Ours. Each handshake under way takes some 100 KiB, and none of them has shown who it is.
const HANDSHAKES_LIMIT = 512
const SOURCE_HANDSHAKES_LIMIT = 128
/** A handshake takes milliseconds: who is not done after this gives way to others when there is no room. */
const GIVES_WAY_MS = 1000
/** Of Node's own limit, over any that can be configured here. */
const ESCAPED_HANDSHAKE_MS = 600_000
const TLS_HANDSHAKE = 0x16

type Admitted = Extract<Admission, { kind: 'admitted' }>
type Refused = Extract<Admission, { kind: 'refused' }>

export interface TlsListenerEvents {
  /** The certificate was admitted; nothing has been read yet. */
  onPeer(socket: TLSSocket, admitted: Admitted, peer: PeerAddress): void
  /** The certificate was refused; the peer is told the check and cut off. */
  onRefused(refused: Refused, peer: string): void
  /** Turned away before there was a certificate: where it comes from, a limit, no TLS, a failed handshake. */
  onTurnedAway(turned: Turned, peer: string): void
}

/** What can change while it listens. */
export interface TlsListenerLimits extends Omit<AcceptorLimits, 'headerLimitMs'> {
  /** From the first byte to the end of the handshake. */
  readonly handshakeLimitMs: number
}

export interface TlsListenerOptions extends Omit<AcceptorOptions, 'isLocalOnly' | 'headerLimitMs' | 'unixMode' | 'userOf' | 'userLimit'> {
  readonly policy: AdmissionPolicy
  /** From the first byte to the end of the handshake. */
  readonly handshakeLimitMs: number
}

/** A hint that RELP allows a server at any time; the peer learns which check failed, nothing of our configuration. */
export function endRefused(socket: TLSSocket, check: string): void {
  socket.on('error', () => undefined)
  socket.end(relpFrame(0, 'serverclose', `refused=${check}`), () => socket.destroy())
}

/** A connection that has not shown who it is. */
interface Waiting {
  readonly peer: PeerAddress
  readonly source: string
  readonly sinceMs: number
  readonly deadline: NodeJS.Timeout
  /** Nothing has come from it: a client of TLS speaks at once. */
  isSilent: boolean
}

/** A listener whose every connection is admitted or refused by `admitClient` before its first byte is read. */
export class TlsListener {
  readonly #acceptor: Acceptor
  readonly #server: Server
  #options: TlsListenerOptions
  readonly #events: TlsListenerEvents
  /** Oldest first. */
  readonly #waiting = new Map<Socket, Waiting>()
  readonly #waitingBySource = new Map<string, number>()
  #roots: readonly X509Certificate[]
  #identity: TlsIdentity
  #policy: AdmissionPolicy

  constructor(options: TlsListenerOptions, identity: TlsIdentity, events: TlsListenerEvents) {
    this.#options = options
    this.#events = events
    this.#identity = identity
    this.#policy = options.policy
    this.#roots = certificatesIn(identity.ca) ?? []
    // The deadline is our own: it counts from the connection on, and this one is only for what would escape it.
    this.#server = createServer({ ...tlsPolicy(identity), handshakeTimeout: ESCAPED_HANDSHAKE_MS, pauseOnConnect: false })
    this.#server.on('tlsClientError', (error, socket) => this.#onFailed(error, socket))
    this.#server.on('secureConnection', (socket) => this.#onSecure(socket))
    this.#acceptor = new Acceptor(
      { ...options, isLocalOnly: false, headerLimitMs: options.handshakeLimitMs, unixMode: 0o600, userOf: () => undefined, userLimit: 0 },
      {
        onConnection: (socket, peer) => this.#onConnection(socket, peer),
        onTurnedAway: (turned, peer) => events.onTurnedAway(turned, peer),
      },
    )
  }

  /** Resolves with the texts of what is bound. @throws the errno of bind or listen */
  listen(): Promise<string[]> {
    return this.#acceptor.listen()
  }

  /** New handshakes use the new identity; connections that stand are not touched. */
  use(identity: TlsIdentity): void {
    this.#identity = identity
    this.#server.setSecureContext(tlsPolicy(identity))
    this.#roots = certificatesIn(identity.ca) ?? []
  }

  /** Whom it admits from now on; connections that stand are not touched. */
  permit(policy: AdmissionPolicy): void {
    this.#policy = policy
  }

  /** From now on these count; connections and handshakes that stand are not touched. */
  change(limits: TlsListenerLimits): void {
    this.#options = { ...this.#options, ...limits }
    this.#acceptor.change({ ...limits, headerLimitMs: limits.handshakeLimitMs })
  }

  /** Whether its certificate is one that is admitted now. */
  admit(socket: TLSSocket): Admission {
    return admitClient(
      {
        certificate: socket.getPeerX509Certificate(),
        authorized: socket.authorized,
        authorizationError: socket.authorized ? undefined : String(socket.authorizationError),
        roots: this.#roots,
      },
      this.#policy,
      Date.now(),
      this.#identity.revoked,
    )
  }

  /** Accepts no more; `destroy` also cuts what stands. */
  close(destroy: boolean): void {
    this.#acceptor.close(destroy)
    for (const socket of this.#waiting.keys()) socket.destroy()
  }

  #onConnection(socket: Socket, peer: PeerAddress): void {
    const source = sourceOf(peer.address)
    if (!this.#makeRoom(source)) {
      socket.destroy()
      this.#events.onTurnedAway(this.#noRoom(source), peer.text)
      return
    }
    this.#waitingBySource.set(source, (this.#waitingBySource.get(source) ?? 0) + 1)
    const seconds = this.#options.handshakeLimitMs / 1000
    const deadline = setTimeout(
      () =>
        this.#turnAway(
          socket,
          'handshake',
          `no TLS handshake within ${seconds} s`,
          'A port scan does this; a sender is too slow or waits for the other side',
        ),
      this.#options.handshakeLimitMs,
    )
    const waiting: Waiting = { peer, source, sinceMs: performance.now(), deadline, isSilent: true }
    this.#waiting.set(socket, waiting)
    socket.once('close', () => {
      this.#settle(socket)
    })
    // The first byte tells what is no TLS: OpenSSL would only say that its version is wrong.
    const onEnd = (): void =>
      this.#turnAway(socket, 'handshake', 'it closed the connection without a word', 'A port scan or a health check does this')
    socket.once('end', onEnd)
    socket.once('data', (chunk: Buffer) => {
      socket.off('end', onEnd)
      waiting.isSilent = false
      if (chunk[0] !== TLS_HANDSHAKE) {
        const first = readFirstBytes(chunk, 0, chunk.length)
        const looksLike = first.kind === 'foreign' ? first.looksLike : first.kind === 'relp' ? 'RELP without TLS' : 'syslog without TLS'
        const remedy =
          first.kind === 'foreign' ? first.remedy : 'Turn TLS on at the sender; it needs TLS 1.2 or newer and a client certificate'
        this.#turnAway(socket, 'not-tls', `it sent no TLS handshake, it looks like ${looksLike}`, remedy)
        return
      }
      socket.pause()
      socket.unshift(chunk)
      this.#server.emit('connection', socket)
    })
  }

  /** Whether one more handshake fits, if need be in the place of one that does not get on: first who says nothing, then who takes long. */
  #makeRoom(source: string): boolean {
    const isFull = this.#waiting.size >= HANDSHAKES_LIMIT
    if (!isFull && (this.#waitingBySource.get(source) ?? 0) < SOURCE_HANDSHAKES_LIMIT) return true
    const before = performance.now() - GIVES_WAY_MS
    let slow: Socket | undefined
    for (const [socket, waiting] of this.#waiting) {
      if (!isFull && waiting.source !== source) continue
      if (waiting.isSilent) {
        this.#giveWay(socket)
        return true
      }
      if (waiting.sinceMs < before) slow ??= socket
    }
    if (slow === undefined) return false
    this.#giveWay(slow)
    return true
  }

  #giveWay(socket: Socket): void {
    const { source } = this.#waiting.get(socket)!
    const { check, sentence, remedy } = this.#noRoom(source)
    this.#turnAway(socket, check, sentence, remedy)
  }

  #noRoom(source: string): Turned {
    const sentence = `${this.#waiting.size} handshakes are under way, ${this.#waitingBySource.get(source) ?? 0} of them with ${source}`
    return { check: 'handshakes', sentence, remedy: 'A sender comes again by itself; else look who that is' }
  }

  #settle(socket: Socket): PeerAddress | undefined {
    const waiting = this.#waiting.get(socket)
    if (waiting === undefined) return undefined
    clearTimeout(waiting.deadline)
    this.#waiting.delete(socket)
    const left = this.#waitingBySource.get(waiting.source)! - 1
    if (left === 0) this.#waitingBySource.delete(waiting.source)
    else this.#waitingBySource.set(waiting.source, left)
    return waiting.peer
  }

  #turnAway(socket: Socket, check: string, sentence: string, remedy: string): void {
    const peer = this.#settle(socket)
    socket.destroy()
    if (peer !== undefined) this.#events.onTurnedAway({ check, sentence, remedy }, peer.text)
  }

  #onFailed(error: Error, socket: TLSSocket): void {
    const raw = rawOf(socket)
    const { found, remedy } = handshakeFault(error)
    if (raw !== undefined) this.#turnAway(raw, 'handshake', `TLS handshake failed: ${found}`, remedy)
    // Without this the server keeps the socket of a failed or idle handshake open for ever.
    socket.destroy()
  }

  #onSecure(socket: TLSSocket): void {
    const raw = rawOf(socket)
    const peer = raw === undefined ? undefined : this.#settle(raw)
    if (peer === undefined) {
      socket.destroy()
      return
    }
    const admission = this.admit(socket)
    if (admission.kind === 'admitted') {
      socket.setNoDelay(true)
      socket.setKeepAlive(true, 30_000)
      this.#events.onPeer(socket, admission, peer)
      return
    }
    this.#events.onRefused(admission, peer.text)
    endRefused(socket, admission.check)
  }
}

/** The socket below TLS. */
function rawOf(socket: TLSSocket): Socket | undefined {
  return (socket as TLSSocket & { _parent?: Socket })._parent
}
