const LF = 0x0a

/** Cuts a stream of bytes into lines; a line over the limit is cut at it, and its rest is dropped. Holds at most one line. */
export class LineSplitter {
  readonly #limitBytes: number
  readonly #take: (line: Buffer, isCut: boolean) => void
  #held: Buffer[] = []
  #heldBytes = 0
  #isOver = false

  /** @param take called with each line that is not empty, without its line feed; the bytes are valid during the call */
  constructor(limitBytes: number, take: (line: Buffer, isCut: boolean) => void) {
    this.#limitBytes = limitBytes
    this.#take = take
  }

  push(chunk: Buffer): void {
    for (let from = 0; from < chunk.length; ) {
      const lf = chunk.indexOf(LF, from)
      this.#part(chunk.subarray(from, lf === -1 ? chunk.length : lf))
      if (lf === -1) return
      this.end()
      from = lf + 1
    }
  }

  /** What is held is a whole line. */
  end(): void {
    if (this.#heldBytes > 0) this.#take(this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held), this.#isOver)
    this.#held = []
    this.#heldBytes = 0
    this.#isOver = false
  }

  #part(part: Buffer): void {
    const room = this.#limitBytes - this.#heldBytes
    if (part.length > room) this.#isOver = true
    const kept = part.subarray(0, room)
    if (kept.length === 0) return
    // A copy: the chunk is its giver's again after the call.
    this.#held.push(Buffer.from(kept))
    this.#heldBytes += kept.length
  }
}
