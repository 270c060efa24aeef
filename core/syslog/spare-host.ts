import { DASH, writeText } from './ascii.ts'

const HOSTNAME_LIMIT = 255

/** Room that it wants in the shared memory. */
export const SPARE_HOST_SCRATCH_BYTES = 256

/** HOSTNAME for messages that have none, ready to be copied: the name or the address of the peer, or NILVALUE. */
export class SpareHost {
  readonly #memory: Uint8Array
  readonly #at: number
  #name = '-'
  #length = 1

  constructor(memory: Uint8Array, scratch: number) {
    this.#memory = memory
    this.#at = scratch
    memory[scratch] = DASH
  }

  get isNil(): boolean {
    return this.#name === '-'
  }

  /**
   * @param name 1 to 255 printable ASCII characters; empty for NILVALUE
   * @throws {RangeError} when it is no such name; the former one stays
   */
  set(name: string): void {
    if (name === this.#name) return
    const written = name === '' ? '-' : name
    if (written.length > HOSTNAME_LIMIT || !/^[!-~]+$/.test(written))
      throw new RangeError(`Cannot use ${JSON.stringify(name)} as HOSTNAME: 1 to ${HOSTNAME_LIMIT} printable ASCII characters are wanted`)
    this.#length = writeText(this.#memory, this.#at, written) - this.#at
    this.#name = written
  }

  /** Writes it. @returns its end */
  write(out: number): number {
    const memory = this.#memory
    for (let index = 0; index < this.#length; index++) memory[out + index] = memory[this.#at + index]!
    return out + this.#length
  }
}
