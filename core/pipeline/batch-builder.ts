import type { Clock } from '../base/clock.ts'
import { BATCH_HEADROOM_BYTES, BATCH_TARGET_BYTES } from '../spool/constants.ts'

/** Receives a finished payload; the bytes are the builder's again on return. */
export type PayloadReceiver = (bytes: Buffer, start: number, end: number, count: number, receivedUs: number) => void

/** Gathers messages of the main thread's sources to payloads. What was gathered in one turn of the event loop goes together, at its end. */
export class BatchBuilder {
  readonly #receiver: PayloadReceiver
  readonly #clock: Clock
  #bytes: Buffer
  #spare: Buffer = Buffer.alloc(0)
  #end = BATCH_HEADROOM_BYTES
  #count = 0
  #receivedUs = 0
  #isScheduled = false

  constructor(receiver: PayloadReceiver, clock: Clock) {
    this.#receiver = receiver
    this.#clock = clock
    this.#bytes = Buffer.alloc(4096)
  }

  /** Room for one message of up to `bytes` bytes: write it to `buffer` from `start` on, then call `added`. */
  reserve(bytes: number): { buffer: Buffer; start: number } {
    if (this.#count > 0 && this.#end + 4 + bytes > BATCH_HEADROOM_BYTES + BATCH_TARGET_BYTES) this.flush()
    const wanted = this.#end + 4 + bytes
    if (wanted > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(wanted, Math.min(this.#bytes.length * 4, BATCH_HEADROOM_BYTES + BATCH_TARGET_BYTES)))
      this.#bytes.copy(larger, 0, 0, this.#end)
      this.#bytes = larger
    }
    return { buffer: this.#bytes, start: this.#end + 4 }
  }

  /** The message that was written into the room reserved last ends here. */
  added(end: number): void {
    this.#bytes.writeUInt32LE(end - this.#end - 4, this.#end)
    if (this.#count === 0) this.#receivedUs = this.#clock.wallUs()
    this.#end = end
    this.#count++
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.flush()
    })
  }

  add(message: Uint8Array): void {
    const { buffer, start } = this.reserve(message.length)
    buffer.set(message, start)
    this.added(start + message.length)
  }

  flush(): void {
    if (this.#count === 0) return
    const count = this.#count
    const end = this.#end
    this.#count = 0
    this.#end = BATCH_HEADROOM_BYTES
    const bytes = this.#bytes
    // The receiver may log, and a source that hears it adds a message meanwhile.
    this.#bytes = this.#spare
    this.#spare = Buffer.alloc(0)
    this.#receiver(bytes, BATCH_HEADROOM_BYTES, end, count, this.#receivedUs)
    if (this.#spare.length === 0) this.#spare = bytes
  }
}
