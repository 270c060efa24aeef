import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Clock } from '../core/base/clock.ts'
import { errnoOf } from '../core/base/errors.ts'
import type { Log } from '../core/base/log.ts'
import type { Metrics } from '../core/base/metrics.ts'
import type { Loss } from '../core/pipeline/loss.ts'
import { type RecordHead, readRecord } from '../core/spool/batch.ts'
import { HOPS_LIMIT, RECORD_LIMIT_BYTES } from '../core/spool/constants.ts'
import { type Hop, readHops } from '../core/spool/hops.ts'
import { payloadFault } from '../core/spool/payload.ts'
import type { Spool } from '../core/spool/spool.ts'
import type { CertificateFacts } from '../core/transport/certificate.ts'
import { matchesOrigin, UNVERIFIED } from '../core/transport/names.ts'
import { WITHIN_FRAME } from '../core/transport/syslog-server.ts'
import { type ToldReceiver, ToldSession } from '../core/transport/told-session.ts'
import type { ForeignMessages } from './foreign-messages.ts'
import type { Origins } from './origins.ts'

export interface PeerWorld {
  readonly spool: Spool
  readonly name: string
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  readonly loss: Loss
  /** Nothing of the delivery is acknowledged. */
  onStoreFailure(errno: string): void
}

export interface PeerEvents {
  onGone(peer: Peer, reason: string | undefined): void
  onForeign(peer: Peer, looksLike: string, remedy: string): void
  onTold(peer: Peer): void
}

export interface PeerTerms {
  readonly address: string
  /** The same for the hop of what it brings: the bare IP address, of the client itself where a proxy has told it. */
  readonly hopAddress: string | undefined
  /** Undefined where there is no TLS: then no batches are taken. */
  readonly facts: CertificateFacts | undefined
  readonly certificate: X509Certificate | undefined
  readonly origins: Origins
  /** Shared by connections whose messages have the same limit: what a delivery has brought is flushed before the next one is read. */
  readonly foreign: ForeignMessages
  readonly limitBytes: number
  /** Whether it may bring batches of one more host, for which its certificate speaks. */
  readonly mayBring: (origin: string) => boolean
}

/** One admitted connection: what it sends goes to the spool, under names that it may use. */
export class Peer implements ToldReceiver {
  readonly address: string
  readonly syslogLimitBytes: number
  readonly batchLimitBytes: number
  readonly connectedUs: number
  /** Undefined where there is no TLS. */
  readonly facts: CertificateFacts | undefined
  readonly certificate: X509Certificate | undefined
  readonly session: ToldSession
  messages = 0
  readonly #terms: PeerTerms
  readonly #world: PeerWorld
  readonly #events: PeerEvents
  #failure: unknown
  #hasForeign = false
  #stored: Promise<void> = Promise.resolve()

  constructor(socket: Socket, terms: PeerTerms, world: PeerWorld, events: PeerEvents) {
    this.address = terms.address
    this.syslogLimitBytes = terms.limitBytes
    this.batchLimitBytes = terms.facts === undefined ? 0 : RECORD_LIMIT_BYTES
    this.facts = terms.facts
    this.certificate = terms.certificate
    this.#terms = terms
    this.#world = world
    this.#events = events
    this.connectedUs = world.clock.wallUs()
    this.session = new ToldSession(socket, this)
  }

  get name(): string {
    return this.#terms.origins.rights.name
  }

  onBatch(bytes: Buffer, start: number, end: number): string | undefined {
    if (end === start) return 'batch: empty'
    if (this.facts === undefined) return 'batch: taken over TLS alone'
    for (let at = start; at < end; ) {
      const result = readRecord(bytes, at, end)
      if (result.kind !== 'record') return `batch: ${result.kind === 'malformed' ? result.reason : 'cut short'}`
      const refused = this.#storeRecord(bytes, result.head)
      if (refused !== undefined) return refused
      at = result.head.end
    }
    return undefined
  }

  onSyslog(bytes: Buffer, start: number, end: number): string | undefined {
    const { foreign, origins, hopAddress } = this.#terms
    const { isAcknowledged } = this.session
    const refused = foreign.take(bytes, start, end, origins, hopAddress, isAcknowledged)
    if (refused === undefined) {
      this.messages++
      this.#hasForeign = true
    } else if (!isAcknowledged) this.#world.loss.count('name-refused', 1, this.name)
    return refused
  }

  onCut(): void {
    this.#world.metrics.add('messagesCut', 1)
  }

  /** Rejects when something of it could not be stored: then nothing of it is acknowledged, and a sender that waits for that sends it again. */
  async onDelivered(): Promise<void> {
    if (this.#hasForeign) this.#stored = this.#terms.foreign.stored()
    this.#hasForeign = false
    // Also when nothing more of the kind has come: who waits for acknowledgements gets them in order.
    await this.#stored.catch((error: unknown) => {
      this.#failure ??= error
      this.#world.onStoreFailure(errnoOf(error) ?? (error as Error).message)
    })
    if (this.#failure !== undefined) throw this.#failure
    await this.#world.spool.commit()
  }

  onClosed(reason: string | undefined): void {
    if (reason === WITHIN_FRAME && !this.session.isAcknowledged) this.#world.loss.count('connection-cut', 1, this.name)
    this.#events.onGone(this, reason)
  }

  onForeign(looksLike: string, remedy: string): void {
    this.#events.onForeign(this, looksLike, remedy)
  }

  onTold(): void {
    this.#events.onTold(this)
  }

  #storeRecord(bytes: Buffer, head: RecordHead): string | undefined {
    const { spool, metrics, clock, name } = this.#world
    if (!this.#mayBring(head.origin)) return `certificate of ${this.name} does not speak for "${head.origin.slice(0, 30)}"`
    if (head.origin !== this.name && !this.#terms.mayBring(head.origin))
      return 'it brings messages of more hosts than limits.origins of the listener'
    const hops = readHops(bytes, head)
    if (hops === undefined) return 'batch: hops do not fit'
    const fault = payloadFault(bytes, head)
    if (fault !== undefined) return `batch: ${fault}`
    if (hops.some((hop) => hop.id === spool.id)) return 'loop: this batch has been here before'
    if (hops.length >= HOPS_LIMIT) return `batch came by ${hops.length} relays`
    metrics.add('messagesReceived', head.take)
    const here: Hop = { id: spool.id, name, arrivedUs: clock.wallUs(), address: this.#terms.hopAddress }
    // A host has its own messages alone: what it says of a way before it counts no more than a name that it claims.
    const before = this.facts?.role === 'relay' ? hops : []
    try {
      const stored = spool.appendReceived(bytes, head, [...before, here])
      if (stored.kind === 'refused') return stored.reason
      this.messages += stored.messages
      metrics.add('messagesStored', stored.messages)
      metrics.add('bytesStored', head.end - head.start)
      metrics.add('messagesRepeated', head.take - stored.messages)
      return undefined
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === undefined) throw error
      this.#failure = error
      this.#world.onStoreFailure(errno)
      return `cannot store: ${errno}`
    }
  }

  /** A host speaks only for itself; a relay for the names that its certificate lists. */
  #mayBring(origin: string): boolean {
    const { facts } = this
    if (origin === this.name) return true
    if (facts?.role !== 'relay') return false
    return origin === `${UNVERIFIED}${this.name}` || matchesOrigin(facts.speaksFor, origin)
  }
}
