/** One name, or a pattern of names, compared with bytes where they stand. */
export interface NamePattern {
  matches(bytes: Uint8Array, start: number, end: number): boolean
}

export class PlainName implements NamePattern {
  readonly #name: Uint8Array

  constructor(name: string) {
    this.#name = Buffer.from(name)
  }

  matches(bytes: Uint8Array, start: number, end: number): boolean {
    const name = this.#name
    if (end - start !== name.length) return false
    for (let index = 0; index < name.length; index++) if (bytes[start + index] !== name[index]) return false
    return true
  }
}

/** As names of hosts are compared: ASCII letters in any case. */
export class CaselessName implements NamePattern {
  readonly #name: Uint8Array

  constructor(name: string) {
    this.#name = Buffer.from(name.toLowerCase())
  }

  matches(bytes: Uint8Array, start: number, end: number): boolean {
    const name = this.#name
    if (end - start !== name.length) return false
    for (let index = 0; index < name.length; index++) if (lower(bytes[start + index]!) !== name[index]) return false
    return true
  }
}

const STAR = 0x2a
const QUESTION = 0x3f

/** `*` for any bytes and `?` for one. At worst the length of the name times that of the pattern, both of at most 255. */
export class GlobName implements NamePattern {
  readonly #glob: Uint8Array
  readonly #isCaseless: boolean

  constructor(glob: string, isCaseless: boolean) {
    this.#glob = Buffer.from(isCaseless ? glob.toLowerCase() : glob)
    this.#isCaseless = isCaseless
  }

  matches(bytes: Uint8Array, start: number, end: number): boolean {
    const glob = this.#glob
    let at = start
    let place = 0
    // Where to go on when what follows the last star does not fit: one byte later.
    let star = -1
    let retry = start
    while (at < end) {
      const byte = this.#isCaseless ? lower(bytes[at]!) : bytes[at]!
      if (place < glob.length && glob[place] === STAR) {
        star = place++
        retry = at
      } else if (place < glob.length && (glob[place] === QUESTION || glob[place] === byte)) {
        at++
        place++
      } else if (star !== -1) {
        place = star + 1
        at = ++retry
      } else return false
    }
    while (place < glob.length && glob[place] === STAR) place++
    return place === glob.length
  }
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte
}
