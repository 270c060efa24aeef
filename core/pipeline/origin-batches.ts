import type { Clock } from '../base/clock.ts'
import { errnoOf } from '../base/errors.ts'
import { CODEC_PLAIN } from '../spool/batch.ts'
import type { Spool } from '../spool/spool.ts'
import { BatchBuilder } from './batch-builder.ts'

/** Builders kept for the next delivery; each holds up to a batch. */
const KEPT = 32

interface Slot {
  origin: string
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
 * Gathers the messages of one delivery by origin: messages of many hosts on one connection become one batch per host, and their order per host is
 * kept. Serves all connections of a relay in turn: what a delivery has brought is flushed before the next one is read.
 */
export class OriginBatches {
  readonly #spool: Spool
  readonly #clock: Clock
  readonly #open = new Map<string, Slot>()
  readonly #free: Slot[] = []
  #last: Slot | undefined
  #messages = 0
  #bytes = 0
  #failedMessages = 0
  #error: Error | undefined

  constructor(spool: Spool, clock: Clock) {
    this.#spool = spool
    this.#clock = clock
  }

  add(origin: string, message: Uint8Array): void {
    const slot = this.#last?.origin === origin ? this.#last : this.#slotOf(origin)
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

  #slotOf(origin: string): Slot {
    const open = this.#open.get(origin)
    if (open !== undefined) return open
    const slot = this.#free.pop() ?? this.#newSlot()
    slot.origin = origin
    this.#open.set(origin, slot)
    return slot
  }

  #newSlot(): Slot {
    const slot: Slot = {
      origin: '',
      builder: new BatchBuilder((payload, from, to, count, receivedUs) => {
        try {
          this.#spool.appendBatch(payload, from, to, { origin: slot.origin, count, receivedUs, plainBytes: to - from, codec: CODEC_PLAIN })
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
