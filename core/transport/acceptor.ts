// The first step of every connection: where it comes from, how many there are, and for whom a proxy has opened it.
//
//   accepted  --not loopback, denied, over a limit-->  refused
//   accepted  --from a proxy-->  header  --malformed, too slow, its source denied-->  refused
//   header, accepted  -->  handed on; nothing of what follows the header has been read

import { createServer, type Server, type Socket } from 'node:net'
import { formatAddress, isLoopback } from '../base/address.ts'
import { plainAddress } from '../base/networks.ts'
import type { AddressRules } from './address-rules.ts'
import { listenOn, notLoopback, type Place } from './bind.ts'
import { readProxyHeader } from './proxy-header.ts'

/** Who is at the other end. */
export interface PeerAddress {
  /** An IP address, or `unix` for a local socket, with `#` and the number of its user where the system says that. */
  readonly address: string
  /** `address:port`, with brackets around IPv6, of the client itself where a proxy has told it; or as `address` for a local socket. */
  readonly text: string
}

export interface Turned {
  /** Stable word for the cause, as in the log. */
  readonly check: string
  readonly sentence: string
  readonly remedy: string
}

/** What can change while it listens. */
export interface AcceptorLimits {
  /** Connections at once, in total and of one address. */
  readonly connectionsLimit: number
  readonly addressLimit: number
  /** How long a proxy may take for its header. */
  readonly headerLimitMs: number
  /** Connections at once of one user at the other end of a local socket. */
  readonly userLimit: number
}

export interface AcceptorOptions extends AcceptorLimits {
  readonly places: readonly Place[]
  /** Without TLS: the listener, and every peer, must be this host itself. */
  readonly isLocalOnly: boolean
  readonly rules: AddressRules
  readonly unixMode: number
  /** The number of the user at the other end of a local socket, undefined where the system does not say. */
  readonly userOf: (socket: Socket) => number | undefined
}

export interface AcceptorEvents {
  onConnection(socket: Socket, peer: PeerAddress): void
  onTurnedAway(turned: Turned, peer: string): void
}

export class Acceptor {
  #options: AcceptorOptions
  readonly #events: AcceptorEvents
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()
  readonly #byAddress = new Map<string, number>()

  constructor(options: AcceptorOptions, events: AcceptorEvents) {
    this.#options = options
    this.#events = events
  }

  get connections(): number {
    return this.#sockets.size
  }

  /** Resolves with the texts of what is bound. @throws {LoghopError} a passed socket is not loopback; or the errno of bind or listen */
  async listen(): Promise<string[]> {
    const bound: string[] = []
    for (const place of this.#options.places) {
      // Nothing is accepted before the event loop turns, and by then it is known.
      let isUnix = false
      const server = createServer((socket) => this.#accept(socket, isUnix))
      this.#servers.push(server)
      const text = await listenOn(server, place, this.#options.unixMode)
      const address = server.address()
      isUnix = typeof address === 'string' || address === null || address.port === undefined
      if (this.#options.isLocalOnly && !isUnix && typeof address === 'object' && !isLoopback(address!.address))
        throw notLoopback(text, `${address!.address} is not loopback`)
      bound.push(text)
    }
    return bound
  }

  /** From now on these count; connections that stand are not touched. */
  change(limits: Partial<AcceptorLimits>): void {
    this.#options = { ...this.#options, ...limits }
  }

  /** Accepts no more; `destroy` also cuts what stands. */
  close(destroy: boolean): void {
    for (const server of this.#servers) server.close()
    if (destroy) for (const socket of this.#sockets) socket.destroy()
  }

  #accept(socket: Socket, isUnix: boolean): void {
    socket.on('error', () => undefined)
    const { remoteAddress, remotePort, localAddress } = socket
    if (isUnix) {
      const user = this.#options.userOf(socket)
      const name = user === undefined ? 'unix' : `unix#${user}`
      if (!this.#hasRoom(socket, name)) return
      if (user === undefined) this.#events.onConnection(socket, { address: name, text: name })
      else this.#count(socket, { address: name, text: name }, user)
      return
    }
    // Gone before it was looked at.
    if (remoteAddress === undefined) {
      socket.destroy()
      return
    }
    const address = plainAddress(remoteAddress)
    const text = formatAddress({ host: address, port: remotePort ?? 0 })
    if (this.#options.isLocalOnly && !(isLoopback(address) && isLoopback(plainAddress(localAddress ?? '')))) {
      const sentence = `it comes from ${address} to ${localAddress ?? 'an unknown address'}, this listener has no TLS and takes this host alone`
      this.#turnAway(socket, { check: 'not-loopback', sentence, remedy: 'Let it connect to a tls listener' }, text)
      return
    }
    if (this.#options.rules.isProxy(address)) {
      if (this.#hasRoom(socket, text)) this.#readHeader(socket, text)
      return
    }
    if (this.#mayCome(socket, address, text) && this.#hasRoom(socket, text)) this.#count(socket, { address, text })
  }

  #mayCome(socket: Socket, address: string, text: string): boolean {
    const list = this.#options.rules.refusedBy(address)
    if (list === undefined) return true
    const sentence = list === 'deny' ? `deny of this listener lists ${address}` : `allow of this listener does not list ${address}`
    const remedy = list === 'deny' ? 'Take it out of deny if it may come' : 'Add it to allow if it may come'
    this.#turnAway(socket, { check: 'address', sentence, remedy }, text)
    return false
  }

  #hasRoom(socket: Socket, text: string): boolean {
    const { connectionsLimit } = this.#options
    if (this.#sockets.size < connectionsLimit) {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
      return true
    }
    const sentence = `this listener has ${connectionsLimit} connections already`
    const remedy = 'Raise limits.connections of the listener, and LimitNOFILE of the service with it'
    this.#turnAway(socket, { check: 'connections', sentence, remedy }, text)
    return false
  }

  /** Of one address, the client's own where a proxy has told it; or of one user. */
  #count(socket: Socket, peer: PeerAddress, user?: number): void {
    const { addressLimit, userLimit } = this.#options
    const count = this.#byAddress.get(peer.address) ?? 0
    if (user !== undefined && count >= userLimit) {
      const sentence = `user ${user} of this host has ${userLimit} connections already`
      this.#turnAway(socket, { check: 'user-connections', sentence, remedy: 'Raise limits.per_user of the listener' }, peer.text)
      return
    }
    if (user === undefined && count >= addressLimit) {
      const sentence = `${peer.address} has ${addressLimit} connections already`
      this.#turnAway(socket, { check: 'address-connections', sentence, remedy: 'Raise limits.per_address of the listener' }, peer.text)
      return
    }
    this.#byAddress.set(peer.address, count + 1)
    socket.once('close', () => {
      const left = this.#byAddress.get(peer.address)! - 1
      if (left === 0) this.#byAddress.delete(peer.address)
      else this.#byAddress.set(peer.address, left)
    })
    this.#events.onConnection(socket, peer)
  }

  #turnAway(socket: Socket, turned: Turned, text: string): void {
    socket.destroy()
    this.#events.onTurnedAway(turned, text)
  }

  #readHeader(socket: Socket, proxy: string): void {
    let held: Buffer = Buffer.alloc(0)
    const { headerLimitMs } = this.#options
    const fail = (reason: string): void => {
      settle()
      const remedy =
        'Turn the PROXY header on in the proxy ("send-proxy-v2" in HAProxy, "protocol = proxy" in stunnel), or take it out of proxy'
      this.#turnAway(socket, { check: 'proxy-header', sentence: `${reason}, and proxy of this listener lists it`, remedy }, proxy)
    }
    const settle = (): void => {
      clearTimeout(deadline)
      socket.off('data', onData)
      socket.off('close', settle)
    }
    const deadline = setTimeout(() => fail(`no PROXY header came within ${headerLimitMs / 1000} s`), headerLimitMs)
    const onData = (chunk: Buffer): void => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      const header = readProxyHeader(held)
      if (header.kind === 'need-more') return
      if (header.kind === 'malformed') {
        fail(header.reason)
        return
      }
      settle()
      socket.pause()
      // What stands behind the header is the client's.
      if (held.length > header.bytes) socket.unshift(held.subarray(header.bytes))
      const { source } = header
      if (source === undefined) this.#count(socket, { address: plainAddress(socket.remoteAddress ?? 'unknown'), text: proxy })
      else {
        const address = plainAddress(source.address)
        const text = `${formatAddress({ host: address, port: source.port })}`
        if (this.#mayCome(socket, address, text)) this.#count(socket, { address, text })
      }
    }
    socket.on('data', onData)
    socket.once('close', settle)
  }
}
