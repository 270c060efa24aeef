import type { Clock } from '../core/base/clock.ts'
import { errnoOf } from '../core/base/errors.ts'
import type { Log } from '../core/base/log.ts'
import type { Metrics } from '../core/base/metrics.ts'
import { BatchBuilder } from '../core/pipeline/batch-builder.ts'
import { MessageCompleter } from '../core/pipeline/message-completer.ts'
import { CODEC_PLAIN, type Hop, type RecordHead, readHops, readRecord } from '../core/spool/batch.ts'
import { HOPS_LIMIT, RECORD_LIMIT_BYTES } from '../core/spool/constants.ts'
import { payloadFault } from '../core/spool/payload.ts'
import type { Spool } from '../core/spool/spool.ts'
import type { CertificateFacts } from '../core/transport/certificate.ts'
import { matchesName, normaliseName } from '../core/transport/names.ts'
import type { RelpReceiver } from '../core/transport/relp-server.ts'

export interface PeerWorld {
  readonly spool: Spool
  readonly name: string
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  /** Nothing of the delivery is acknowledged. */
  onStoreFailure(errno: string): void
}

/** One admitted connection: what it sends goes to the spool, under names that its certificate proves. */
export class Peer implements RelpReceiver {
  readonly name: string
  readonly address: string
  readonly syslogLimitBytes: number
  readonly batchLimitBytes = RECORD_LIMIT_BYTES
  readonly connectedUs: number
  messages = 0
  readonly #facts: CertificateFacts
  readonly #world: PeerWorld
  readonly #onGone: (peer: Peer, reason: string | undefined) => void
  #foreign: { builder: BatchBuilder; completer: MessageCompleter } | undefined
  #failure: unknown

  constructor(
    name: string,
    address: string,
    facts: CertificateFacts,
    syslogLimitBytes: number,
    world: PeerWorld,
    onGone: (peer: Peer, reason: string | undefined) => void,
  ) {
    this.name = name
    this.address = address
    this.syslogLimitBytes = syslogLimitBytes
    this.#facts = facts
    this.#world = world
    this.#onGone = onGone
    this.connectedUs = world.clock.wallUs()
  }

  onBatch(bytes: Buffer, start: number, end: number): string | undefined {
    if (end === start) return 'batch: empty'
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
    this.#foreign ??= {
      builder: new BatchBuilder((payload, from, to, count, receivedUs) => {
        const batch = { origin: this.name, count, receivedUs, plainBytes: to - from, codec: CODEC_PLAIN }
        this.#world.spool.appendBatch(payload, from, to, batch)
        this.#count(count, to - from)
      }, this.#world.clock),
      completer: new MessageCompleter(this.name, this.syslogLimitBytes),
    }
    this.#foreign.completer.complete(bytes.subarray(start, end), this.#world.clock.wallUs(), 0, -1, this.#foreign.builder)
    this.#world.metrics.add('messagesReceived', 1)
    this.#world.metrics.add('messagesUnparsed', this.#foreign.completer.takeUnparsed())
    return undefined
  }

  /** Rejects when something of it could not be stored: then nothing of it is acknowledged, and the sender sends it again. */
  async onDelivered(): Promise<void> {
    try {
      this.#foreign?.builder.flush()
    } catch (error) {
      this.#failure ??= error
      this.#world.onStoreFailure(errnoOf(error) ?? (error as Error).message)
    }
    if (this.#failure !== undefined) throw this.#failure
    await this.#world.spool.commit()
  }

  onClosed(reason: string | undefined): void {
    this.#onGone(this, reason)
  }

  #count(messages: number, bytes: number): void {
    this.messages += messages
    this.#world.metrics.add('messagesStored', messages)
    this.#world.metrics.add('bytesStored', bytes)
  }

  #storeRecord(bytes: Buffer, head: RecordHead): string | undefined {
    const { spool, metrics, clock, name } = this.#world
    if (!this.#mayBring(head.origin)) return `certificate of ${this.name} does not speak for "${head.origin.slice(0, 30)}"`
    const hops = readHops(bytes, head)
    if (hops === undefined) return 'batch: hops do not fit'
    const fault = payloadFault(bytes, head)
    if (fault !== undefined) return `batch: ${fault}`
    if (hops.some((hop) => hop.id === spool.id)) return 'loop: this batch has been here before'
    if (hops.length >= HOPS_LIMIT) return `batch came by ${hops.length} relays`
    metrics.add('messagesReceived', head.take)
    const here: Hop = { id: spool.id, name, arrivedUs: clock.wallUs() }
    try {
      const stored = spool.appendReceived(bytes, head, [...hops, here])
      if (stored.kind === 'refused') return stored.reason
      this.#count(stored.messages, head.end - head.start)
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
    if (origin === this.name) return true
    // In its one spelling, which every Loghop writes: another one would be another host to streams and files.
    if (this.#facts.role !== 'relay' || normaliseName(origin) !== origin) return false
    return this.#facts.speaksFor.some((pattern) => matchesName(pattern, origin))
  }
}
