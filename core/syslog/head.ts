// `<PRI>1 TIMESTAMP ` with the time of receipt, prepared once a second. Hot.

import { writeText, ZERO } from './ascii.ts'
import { PRI_LIMIT } from './priority.ts'

const PREFIX_BYTES = 512
const PRI_BYTES = 8
/** Where the microseconds stand behind `>`: `1 2026-11-23T02:50:00.` */
const MICROS_PLACE = 22

/** Room that it wants in the shared memory. */
export const HEAD_SCRATCH_BYTES = PREFIX_BYTES + (PRI_LIMIT + 1) * PRI_BYTES

export class HeadWriter {
  readonly #memory: Uint8Array
  readonly #prefix: number
  readonly #priTexts: number
  readonly #priLengths = new Uint8Array(PRI_LIMIT + 1)
  readonly #digits = new Uint8Array(3000)
  readonly #prefixOf: (second: number) => string
  #second = -1
  #prefixLength = 0

  /** @param prefixOf what stands behind the PRI in a second since 1970, with the microseconds as zeros: `1 2026-11-23T02:50:00.000000+00:00 ` and more */
  constructor(memory: Uint8Array, scratch: number, prefixOf: (second: number) => string) {
    this.#memory = memory
    this.#prefix = scratch
    this.#priTexts = scratch + PREFIX_BYTES
    this.#prefixOf = prefixOf
    for (let pri = 0; pri <= PRI_LIMIT; pri++) {
      const at = this.#priTexts + pri * PRI_BYTES
      this.#priLengths[pri] = writeText(memory, at, `<${pri}>`) - at
    }
    for (let value = 0; value < 1000; value++) {
      this.#digits[value * 3] = ZERO + Math.floor(value / 100)
      this.#digits[value * 3 + 1] = ZERO + (Math.floor(value / 10) % 10)
      this.#digits[value * 3 + 2] = ZERO + (value % 10)
    }
  }

  /** Writes `<PRI>`. @returns its end */
  pri(out: number, pri: number): number {
    const memory = this.#memory
    let from = this.#priTexts + pri * PRI_BYTES
    const to = out + this.#priLengths[pri]!
    for (let at = out; at < to; ) memory[at++] = memory[from++]!
    return to
  }

  /** Writes PRI and prefix of the moment. @returns their end */
  received(out: number, pri: number, second: number, micros: number): number {
    if (second !== this.#second) this.#prepare(second)
    const memory = this.#memory
    // As in pri(), which costs a tenth more when it is called here.
    let from = this.#priTexts + pri * PRI_BYTES
    const to = out + this.#priLengths[pri]!
    for (let at = out; at < to; ) memory[at++] = memory[from++]!
    memory.copyWithin(to, this.#prefix, this.#prefix + this.#prefixLength)
    const high = Math.floor(micros / 1000)
    const low = micros - high * 1000
    const digits = this.#digits
    const at = to + MICROS_PLACE
    memory[at] = digits[high * 3]!
    memory[at + 1] = digits[high * 3 + 1]!
    memory[at + 2] = digits[high * 3 + 2]!
    memory[at + 3] = digits[low * 3]!
    memory[at + 4] = digits[low * 3 + 1]!
    memory[at + 5] = digits[low * 3 + 2]!
    return to + this.#prefixLength
  }

  #prepare(second: number): void {
    this.#prefixLength = writeText(this.#memory, this.#prefix, this.#prefixOf(second)) - this.#prefix
    this.#second = second
  }
}
