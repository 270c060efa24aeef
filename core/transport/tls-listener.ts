import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { type Admission, type AdmissionPolicy, admitClient } from './admission.ts'
import { relpFrame } from './relp.ts'
import { type TlsIdentity, tlsPolicy } from './tls-policy.ts'

/** RFC 5425 gives none; ours: a handshake that takes longer is a scanner's or a dead peer's. */
const HANDSHAKE_LIMIT_MS = 10_000
const CONNECTIONS_LIMIT = 10_000

type Admitted = Extract<Admission, { kind: 'admitted' }>
type Refused = Extract<Admission, { kind: 'refused' }>

export interface TlsListenerEvents {
  /** The certificate was admitted; nothing has been read yet. */
  onPeer(socket: TLSSocket, admitted: Admitted, peer: string): void
  /** The certificate was refused; the peer is told the check and cut off. */
  onRefused(refused: Refused, peer: string): void
  /** The handshake itself failed: not TLS, no common version, too slow. */
  onHandshakeFailed(error: Error, peer: string): void
}

export interface TlsListenerOptions {
  readonly host: string
  readonly port: number
  readonly policy: AdmissionPolicy
  /** Connections at once, also those that have not been admitted; more are closed as they come. */
  readonly connectionsLimit: number
}

function peerOf(socket: Socket): string {
  const address = socket.remoteAddress ?? 'unknown'
  return `${address.includes(':') ? `[${address}]` : address}:${socket.remotePort ?? 0}`
}

/** A listener whose every connection is admitted or refused by `admitClient` before its first byte is read. */
export class TlsListener {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #options: TlsListenerOptions
  #identity: TlsIdentity

  constructor(options: TlsListenerOptions, identity: TlsIdentity, events: TlsListenerEvents) {
    this.#options = options
    this.#identity = identity
    this.#server = createServer({ ...tlsPolicy(identity), handshakeTimeout: HANDSHAKE_LIMIT_MS, pauseOnConnect: false })
    this.#server.maxConnections = Math.min(CONNECTIONS_LIMIT, options.connectionsLimit)
    // The address is gone by the time a handshake fails.
    const peers = new WeakMap<object, string>()
    this.#server.on('connection', (raw: Socket) => {
      peers.set(raw, peerOf(raw))
      this.#sockets.add(raw)
      raw.once('close', () => this.#sockets.delete(raw))
    })
    this.#server.on('tlsClientError', (error, socket) => {
      const raw = (socket as TLSSocket & { _parent?: Socket })._parent
      events.onHandshakeFailed(error, (raw && peers.get(raw)) ?? 'unknown')
      // Without this the server keeps the socket of a failed or idle handshake open for ever.
      socket.destroy()
    })
    this.#server.on('secureConnection', (socket) => {
      const peer = peerOf(socket)
      const admission = admitClient(
        {
          certificate: socket.getPeerX509Certificate(),
          authorized: socket.authorized,
          authorizationError: socket.authorized ? undefined : String(socket.authorizationError),
        },
        options.policy,
        Date.now(),
        this.#identity.revoked,
      )
      if (admission.kind === 'admitted') {
        socket.setNoDelay(true)
        socket.setKeepAlive(true, 30_000)
        events.onPeer(socket, admission, peer)
        return
      }
      events.onRefused(admission, peer)
      socket.on('error', () => undefined)
      // A hint that RELP allows a server at any time; the peer learns which check failed, nothing of our configuration.
      socket.end(relpFrame(0, 'serverclose', `refused=${admission.check}`), () => socket.destroy())
    })
  }

  /** Resolves with the port that is bound. @throws the errno of bind or listen */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host: this.#options.host, port: this.#options.port, backlog: 1024 }, () => {
        this.#server.off('error', reject)
        this.#server.on('error', () => undefined)
        const address = this.#server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : this.#options.port)
      })
    })
  }

  /** New handshakes use the new identity; connections that stand are not touched. */
  use(identity: TlsIdentity): void {
    this.#identity = identity
    this.#server.setSecureContext(tlsPolicy(identity))
  }

  /** Accepts no more; `destroy` also cuts what stands. */
  close(destroy: boolean): void {
    this.#server.close()
    if (destroy) for (const socket of this.#sockets) socket.destroy()
  }
}
