// Buffers of frames that are done serve the next ones: fresh memory for each would keep the collector busy.
const POOLED_BYTES = 576 << 10
const POOL_LIMIT = 16
/** A header is told byte by byte, and needs no new buffer for each. */
const LEAST_BYTES = 64
const pool: Buffer[] = []

function takeBuffer(bytes: number): Buffer {
  if (bytes < POOLED_BYTES / 8 || bytes > POOLED_BYTES) return Buffer.allocUnsafeSlow(bytes)
  return pool.pop() ?? Buffer.allocUnsafeSlow(POOLED_BYTES)
}

function giveBack(buffer: Buffer): void {
  if (buffer.length === POOLED_BYTES && pool.length < POOL_LIMIT) pool.push(buffer)
}

/**
 * Joins what a socket delivers into whole frames. A frame that lies within one delivery is not copied; one that does not is gathered in a
 * buffer for its size, which the reader has checked against its limit before.
 */
export class ReceiveBuffer {
  #gathered: Buffer | undefined
  #filled = 0
  /** How many bytes the frame under way takes, as far as is known. */
  #need = 0

  /** Bytes held of a frame that is not whole yet. */
  get held(): number {
    return this.#filled
  }

  /**
   * Passes the bytes on to `read`, which returns how many it has used up and, when a frame is cut, how many bytes that frame takes at least.
   * A `need` that grows (first the header, then the length it tells) is followed. The bytes are only valid during the call.
   */
  deliver(chunk: Buffer, read: (bytes: Buffer, from: number, to: number) => { used: number; need: number }): void {
    let from = 0
    while (this.#gathered !== undefined) {
      const gathered = this.#gathered
      const take = Math.min(this.#need - this.#filled, chunk.length - from)
      chunk.copy(gathered, this.#filled, from, from + take)
      this.#filled += take
      from += take
      // Not whole yet for certain: no need to ask.
      if (this.#filled < this.#need && from >= chunk.length) return
      const filled = this.#filled
      const { used, need } = read(gathered, 0, filled)
      if (used === 0 && need <= filled)
        throw new Error(`Cannot read a frame: ${filled} bytes are there, ${need} were asked for, none were used`)
      if (used > 0 || need > gathered.length) {
        // Header-sized first guesses may hold a whole small frame and the start of the next one.
        this.#release()
        if (used < filled) this.#gather(gathered.subarray(used, filled), Math.max(need, filled - used + 1))
        giveBack(gathered)
      } else this.#need = need
      if (from >= chunk.length) return
    }
    const { used, need } = read(chunk, from, chunk.length)
    if (from + used < chunk.length) this.#gather(chunk.subarray(from + used), need)
  }

  /** The connection is gone, and with it the frame under way. */
  drop(): void {
    const gathered = this.#gathered
    this.#release()
    if (gathered !== undefined) giveBack(gathered)
  }

  #release(): void {
    this.#gathered = undefined
    this.#filled = 0
    this.#need = 0
  }

  #gather(held: Buffer, need: number): void {
    this.#need = Math.max(need, held.length + 1)
    const gathered = takeBuffer(Math.max(this.#need, LEAST_BYTES))
    held.copy(gathered)
    this.#gathered = gathered
    this.#filled = held.length
  }
}
