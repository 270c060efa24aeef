import { isIP } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { type Admission, admitServer } from './admission.ts'
import { relpFrame } from './relp.ts'
import { type TlsIdentity, tlsPolicy } from './tls-policy.ts'

const CONNECT_LIMIT_MS = 10_000

export interface RelayAddress {
  readonly host: string
  readonly port: number
  /** Pin of the relay's certificate or key, instead of a name and an authority. */
  readonly pin?: string | undefined
}

export interface ConnectEvents {
  /** The relay's certificate was admitted; nothing has been read yet. */
  onConnected(socket: TLSSocket, peer: string): void
  onRefused(admission: Extract<Admission, { kind: 'refused' }>): void
  onFailed(error: Error): void
}

/**
 * Opens one connection and checks the relay before its first byte is read.
 * @param speaksRelp whether a refused peer understands the frame that tells it why
 * @returns a function that gives up
 */
export function connectTls(relay: RelayAddress, identity: TlsIdentity, events: ConnectEvents, speaksRelp = true): () => void {
  const socket = connect({
    ...tlsPolicy(identity),
    host: relay.host,
    port: relay.port,
    // An address is no name: RFC 6066 section 3.
    ...(isIP(relay.host) === 0 ? { servername: relay.host } : {}),
    // The name is checked by admitServer, with the rest; and a pin may stand in for it.
    checkServerIdentity: () => undefined,
  })
  let isDecided = false
  const fail = (error: Error): void => {
    if (isDecided) return
    isDecided = true
    clearTimeout(deadline)
    socket.destroy()
    events.onFailed(withMessage(error))
  }
  const deadline = setTimeout(() => fail(new Error(`no TLS connection within ${CONNECT_LIMIT_MS / 1000} s`)), CONNECT_LIMIT_MS)
  socket.on('error', fail)
  socket.once('close', () => fail(new Error('the relay closed the connection during the handshake')))
  socket.once('secureConnect', () => {
    if (isDecided) return
    isDecided = true
    clearTimeout(deadline)
    const admission = admitServer(
      {
        certificate: socket.getPeerX509Certificate(),
        authorized: socket.authorized,
        authorizationError: socket.authorized ? undefined : String(socket.authorizationError),
      },
      { host: relay.host, pin: relay.pin },
      Date.now(),
      identity.revoked,
    )
    if (admission.kind === 'refused') {
      // As the listener does: the other side learns which check failed, so that its log explains the refusal too.
      if (speaksRelp) socket.end(relpFrame(1, 'close', `refused=${admission.check}`), () => socket.destroy())
      else socket.destroy()
      events.onRefused(admission)
      return
    }
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 30_000)
    events.onConnected(socket, admission.name)
  })
  return () => fail(new Error('given up'))
}

/** A name with several addresses fails with one error for each, and no text of its own. */
function withMessage(error: Error): Error {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined
  return first instanceof Error ? first : error
}
