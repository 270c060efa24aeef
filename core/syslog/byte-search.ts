/** A fixed text, found within bytes where they stand: no view and no string is made. Horspool's way. */
export class ByteSearch {
  readonly #wanted: Uint8Array
  readonly #shifts = new Uint16Array(256)

  /** @param wanted 1 to 65,535 bytes */
  constructor(wanted: Uint8Array) {
    this.#wanted = wanted
    const last = wanted.length - 1
    this.#shifts.fill(wanted.length)
    for (let index = 0; index < last; index++) this.#shifts[wanted[index]!] = last - index
  }

  isIn(bytes: Uint8Array, start: number, end: number): boolean {
    const wanted = this.#wanted
    const shifts = this.#shifts
    const last = wanted.length - 1
    const tail = wanted[last]
    for (let at = start + last; at < end; ) {
      const byte = bytes[at]!
      if (byte === tail) {
        const from = at - last
        let index = 0
        while (index < last && bytes[from + index] === wanted[index]) index++
        if (index === last) return true
      }
      at += shifts[byte]!
    }
    return false
  }
}
