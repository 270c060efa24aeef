import { formatAddress, isLoopback } from '../core/base/address.ts'
import type { AddressRules } from '../core/transport/address-rules.ts'
import type { Place } from '../core/transport/bind.ts'
import { UdpSockets } from '../core/transport/udp-sockets.ts'
import type { ForeignMessages } from './foreign-messages.ts'
import type { Origins } from './origins.ts'
import type { PeerWorld } from './peer.ts'
import type { Refusals } from './refusals.ts'

export interface UdpListenerOptions {
  readonly places: readonly Place[]
  readonly rules: AddressRules
  readonly limitBytes: number
  readonly origins: Origins
}

/** RFC 5426: a datagram is a message. Nobody can be told to wait, so what cannot be taken is lost, and counted with the reason. */
export class UdpListener {
  /** Set while the spool has no room. */
  isPaused = false
  #options: UdpListenerOptions
  readonly #world: PeerWorld
  /** Of its own: connections flush what they have brought and answer for it. */
  #foreign: ForeignMessages
  readonly #refusals: Refusals
  readonly #sockets: UdpSockets
  #isScheduled = false

  constructor(options: UdpListenerOptions, foreign: ForeignMessages, world: PeerWorld, refusals: Refusals) {
    this.#options = options
    this.#world = world
    this.#foreign = foreign
    this.#refusals = refusals
    this.#sockets = new UdpSockets({
      onDatagram: (bytes, address, port) => this.#onDatagram(bytes, address, port),
      onOverrun: (datagrams) => world.loss.count('udp-overrun', datagrams),
    })
  }

  /** Resolves with the texts of what is bound. @throws {LoghopError} a passed socket is not loopback; or the errno of bind */
  async listen(): Promise<string[]> {
    return (await this.#sockets.listen(this.#options.places)).map((bound) => `udp ${bound}`)
  }

  /** Messages of another length from now on. @param foreign for that length */
  change(limitBytes: number, foreign: ForeignMessages): void {
    this.#flush()
    this.#options = { ...this.#options, limitBytes }
    this.#foreign = foreign
  }

  /** Reads what the system holds already and closes. */
  async leave(): Promise<void> {
    await this.#sockets.leave()
    this.#flush()
  }

  close(): void {
    this.#sockets.close()
    this.#flush()
  }

  #onDatagram(bytes: Buffer, address: string, port: number): void {
    if (!isLoopback(address)) {
      const why = `the datagram comes from ${address}, this listener has no TLS and takes this host alone. Put an agent on that host`
      this.#refusals.add(formatAddress({ host: address, port }), 'not-loopback', why)
      return
    }
    const list = this.#options.rules.refusedBy(address)
    if (list !== undefined) {
      const why = `${list} of this listener keeps ${address} out. Change ${list} if it may come`
      this.#refusals.add(formatAddress({ host: address, port }), 'address', why)
      return
    }
    if (bytes.length === 0) return
    const { loss, metrics } = this.#world
    if (this.isPaused) {
      metrics.add('messagesReceived', 1)
      loss.count('udp-spool-full', 1)
      return
    }
    const { origins, limitBytes } = this.#options
    if (bytes.length > limitBytes) metrics.add('messagesCut', 1)
    if (this.#foreign.take(bytes, 0, bytes.length, origins, address, false) !== undefined)
      loss.count('name-refused', 1, origins.rights.name)
    if (this.#isScheduled) return
    // What the system hands over in one turn goes together.
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#store()
    })
  }

  #store(): void {
    this.#foreign.stored().then(
      // Nobody waits for it, but the destinations follow what is durable.
      () => this.#world.spool.commit(),
      (error: NodeJS.ErrnoException) => this.#world.onStoreFailure(error.code ?? error.message),
    )
  }

  #flush(): void {
    this.#store()
    this.#foreign.flush()
  }
}
