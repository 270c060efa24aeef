import type { Clock } from '../base/clock.ts'
import { BATCH_HEADROOM_BYTES, BATCH_TARGET_BYTES } from '../spool/constants.ts'
import type { Positions } from './positions.ts'

/** Messages of a source that can wait, until they are stored together with the position behind them. */
export class WaitingBatch {
  readonly #positions: Positions
  readonly #clock: Clock
  #bytes: Buffer = Buffer.allocUnsafeSlow(4096)
  #end = BATCH_HEADROOM_BYTES
  #count = 0
  #receivedUs = 0

  constructor(positions: Positions, clock: Clock) {
    this.#positions = positions
    this.#clock = clock
  }

  get count(): number {
    return this.#count
  }

  /** Whether one more message of that length may be added before the batch is stored. */
  takes(bytes: number): boolean {
    return this.#count === 0 || this.#end + 4 + bytes <= BATCH_HEADROOM_BYTES + BATCH_TARGET_BYTES
  }

  /** @param head all before MSG, with its last space */
  add(head: string, text: Uint8Array): void {
    const most = this.#end + 4 + head.length * 3 + text.length
    if (most > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(most, Math.min(this.#bytes.length * 4, BATCH_HEADROOM_BYTES + BATCH_TARGET_BYTES)))
      this.#bytes.copy(larger, 0, 0, this.#end)
      this.#bytes = larger
    }
    if (this.#count === 0) this.#receivedUs = this.#clock.wallUs()
    const start = this.#end + 4
    const textStart = start + this.#bytes.write(head, start)
    this.#bytes.set(text, textStart)
    this.#bytes.writeUInt32LE(textStart + text.length - start, this.#end)
    this.#end = textStart + text.length
    this.#count++
  }

  /**
   * Stores what there is, with the position behind it.
   * @returns false when it has to wait: the batch is as it was, and may be stored again or cleared
   */
  store(key: string, position: unknown): boolean {
    if (this.#count === 0) {
      this.#positions.move(key, position)
      return true
    }
    if (!this.#positions.store(key, position, this.#bytes, BATCH_HEADROOM_BYTES, this.#end, this.#count, this.#receivedUs)) return false
    this.clear()
    return true
  }

  clear(): void {
    this.#end = BATCH_HEADROOM_BYTES
    this.#count = 0
  }
}
