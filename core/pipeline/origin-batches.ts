import type { Clock } from '../base/clock.ts'
import { errnoOf } from '../base/errors.ts'
import { CODEC_PLAIN } from '../spool/batch.ts'
import type { Hop } from '../spool/hops.ts'
import type { Spool } from '../spool/spool.ts'
import { BatchBuilder } from './batch-builder.ts'

/** Builders kept for the next delivery; each holds up to a batch. */
const KEPT = 32

interface Slot {
  origin: string
  address: string | undefined
  readonly builder: BatchBuilder
}

export interface Flushed {
  readonly messages: number
  readonly bytes: number
  /** Messages that could not be stored, and why the first of them could not. */
  readonly failedMessages: number
  readonly error: Error | undefined
}

/**
 * Gathers the messages of one delivery by origin and by the address that they come from: messages of many hosts on one connection become one batch per
 * host, and their order per host and sender is kept. A connection has one address, so its batches are as large as ever; datagrams of many senders under one
 * name become a batch for each sender and turn of the event loop, not one for each change from sender to sender. Serves all connections of a relay in turn: what a delivery has brought is flushed before the next one is read.
 */
export class OriginBatches {
  readonly #spool: Spool
  readonly #clock: Clock
  readonly #here: Omit<Hop, 'arrivedUs' | 'address'>
  readonly #open = new Map<string, Slot>()
  readonly #free: Slot[] = []
  #last: Slot | undefined
  #messages = 0
  #bytes = 0
  #failedMessages = 0
  #error: Error | undefined

  /** @param name of this relay, the first hop of what it takes in */
  constructor(spool: Spool, name: string, clock: Clock) {
    this.#spool = spool
    this.#here = { id: spool.id, name }
    this.#clock = clock
  }

  /** @param address from where it came, see Hop */
  add(origin: string, address: string | undefined, message: Uint8Array): void {
    const last = this.#last
    const slot = last !== undefined && last.origin === origin && last.address === address ? last : this.#slotOf(origin, address)
    this.#last = slot
    slot.builder.add(message)
  }

  /** Stores what has come since the last call. */
  flush(): Flushed {
    for (const slot of this.#open.values()) {
      slot.builder.flush()
      if (this.#free.length < KEPT) this.#free.push(slot)
    }
    this.#open.clear()
    this.#last = undefined
    const flushed = { messages: this.#messages, bytes: this.#bytes, failedMessages: this.#failedMessages, error: this.#error }
    this.#messages = this.#bytes = this.#failedMessages = 0
    this.#error = undefined
    return flushed
  }

  #slotOf(origin: string, address: string | undefined): Slot {
    const key = `${origin} ${address ?? ''}`
    const open = this.#open.get(key)
    if (open !== undefined) return open
    const slot = this.#free.pop() ?? this.#newSlot()
    slot.origin = origin
    slot.address = address
    this.#open.set(key, slot)
    return slot
  }

  #newSlot(): Slot {
    const slot: Slot = {
      origin: '',
      address: undefined,
      builder: new BatchBuilder((payload, from, to, count, receivedUs) => {
        try {
          const { origin, address } = slot
          const hops: Hop[] = [{ ...this.#here, arrivedUs: receivedUs, address }]
          this.#spool.appendBatch(payload, from, to, { origin, count, receivedUs, plainBytes: to - from, codec: CODEC_PLAIN, hops })
          this.#messages += count
          this.#bytes += to - from
        } catch (error) {
          if (errnoOf(error) === undefined) throw error
          this.#failedMessages += count
          this.#error ??= error as Error
        }
      }, this.#clock),
    }
    return slot
  }
}
