import type { Clock } from '../base/clock.ts'
import { CODEC_PLAIN } from '../spool/batch.ts'
import { BATCH_HEADROOM_BYTES, BATCH_TARGET_BYTES } from '../spool/constants.ts'
import type { Hop } from '../spool/hops.ts'
import type { PayloadBatch } from '../spool/record-group.ts'
import type { Spool } from '../spool/spool.ts'

/** Slots kept for the next time, and the room that each may keep. */
const KEPT = 128
const KEPT_BYTES = 64 << 10
const FIRST_BYTES = 4096

interface Slot {
  origin: string
  address: string | undefined
  bytes: Buffer
  end: number
  count: number
}

export interface Flushed {
  readonly messages: number
  readonly bytes: number
  readonly batches: number
}

/**
 * Gathers messages by origin and by the address that they come from: messages of many hosts on one connection become one batch per host, and their order
 * per host and sender is kept. Serves all connections of a relay: what several of them have brought is flushed together.
 */
export class OriginBatches {
  readonly #spool: Spool
  readonly #clock: Clock
  readonly #here: Omit<Hop, 'arrivedUs' | 'address'>
  readonly #onFailed: (messages: number, origin: string, error: unknown) => void
  readonly #open = new Map<string, Map<string, Slot>>()
  readonly #free: Slot[] = []
  #last: Slot | undefined
  #messages = 0
  #bytes = 0

  /**
   * @param name of this relay, the first hop of what it takes in
   * @param onFailed messages of that origin that could not be stored, with the errno
   */
  constructor(spool: Spool, name: string, clock: Clock, onFailed: (messages: number, origin: string, error: unknown) => void) {
    this.#spool = spool
    this.#here = { id: spool.id, name }
    this.#clock = clock
    this.#onFailed = onFailed
  }

  /** Bytes that wait for a flush. */
  get bytes(): number {
    return this.#bytes
  }

  /** @param address from where it came, see Hop. @param message stands at `from..to` of it */
  add(origin: string, address: string | undefined, message: Buffer, from: number, to: number): void {
    const last = this.#last
    let slot = last !== undefined && last.origin === origin && last.address === address ? last : this.#slotOf(origin, address)
    const end = slot.end + 4 + to - from
    if (end > slot.bytes.length) {
      if (end > BATCH_HEADROOM_BYTES + BATCH_TARGET_BYTES && slot.count > 0) {
        this.#store([slot])
        this.#close(slot)
        slot = this.#slotOf(origin, address)
      }
      this.#grow(slot, to - from)
    }
    this.#last = slot
    slot.bytes.writeUInt32LE(to - from, slot.end)
    message.copy(slot.bytes, slot.end + 4, from, to)
    slot.end += 4 + to - from
    slot.count++
    this.#messages++
    this.#bytes += 4 + to - from
  }

  /** Stores what has come since the last call. */
  flush(): Flushed {
    const slots: Slot[] = []
    for (const byAddress of this.#open.values()) for (const slot of byAddress.values()) slots.push(slot)
    const flushed = { messages: this.#messages, bytes: this.#bytes, batches: slots.length }
    this.#store(slots)
    this.#open.clear()
    for (const slot of slots) this.#keep(slot)
    this.#last = undefined
    this.#messages = this.#bytes = 0
    return flushed
  }

  #store(slots: readonly Slot[]): void {
    const receivedUs = this.#clock.wallUs()
    const batches = slots.map(({ origin, address, bytes, end, count }): PayloadBatch => {
      const hops: Hop[] = [{ ...this.#here, arrivedUs: receivedUs, address }]
      const plainBytes = end - BATCH_HEADROOM_BYTES
      return { origin, count, receivedUs, plainBytes, codec: CODEC_PLAIN, hops, bytes, start: BATCH_HEADROOM_BYTES, end }
    })
    this.#spool.appendBatches(batches, ({ count, origin }, error) => this.#onFailed(count, origin, error))
  }

  #slotOf(origin: string, address: string | undefined): Slot {
    let byAddress = this.#open.get(origin)
    if (byAddress === undefined) {
      byAddress = new Map()
      this.#open.set(origin, byAddress)
    }
    const open = byAddress.get(address ?? '')
    if (open !== undefined) return open
    const slot = this.#free.pop() ?? { origin, address, bytes: Buffer.allocUnsafeSlow(FIRST_BYTES), end: 0, count: 0 }
    slot.origin = origin
    slot.address = address
    slot.end = BATCH_HEADROOM_BYTES
    slot.count = 0
    byAddress.set(address ?? '', slot)
    return slot
  }

  #grow(slot: Slot, messageBytes: number): void {
    const wanted = slot.end + 4 + messageBytes
    if (wanted <= slot.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(wanted, Math.min(slot.bytes.length * 4, BATCH_HEADROOM_BYTES + BATCH_TARGET_BYTES)))
    slot.bytes.copy(larger, 0, 0, slot.end)
    slot.bytes = larger
  }

  #close(slot: Slot): void {
    this.#open.get(slot.origin)!.delete(slot.address ?? '')
    this.#keep(slot)
  }

  #keep(slot: Slot): void {
    if (this.#free.length < KEPT && slot.bytes.length <= KEPT_BYTES) this.#free.push(slot)
  }
}
