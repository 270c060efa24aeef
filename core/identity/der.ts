/** One value of a DER text: `from` its first byte, `start` to `end` its content. */
export interface DerValue {
  readonly tag: number
  readonly from: number
  readonly start: number
  readonly end: number
}

export const TAG = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  context0: 0xa0,
} as const

/** The text is no DER, or not what was expected at this place. */
export class DerError extends Error {}

/**
 * Reads one value at `at`; it has to end at or before `limit`. Strict: short tags, definite and shortest lengths, up to 2^31 - 1 bytes. Copies nothing.
 * @throws {DerError}
 */
export function readDer(bytes: Uint8Array, at: number, limit: number): DerValue {
  if (at + 2 > limit) throw new DerError(`a value is cut short at byte ${at}`)
  const tag = bytes[at]!
  if ((tag & 0x1f) === 0x1f) throw new DerError(`a tag of several bytes at byte ${at}`)
  let length = bytes[at + 1]!
  let start = at + 2
  if (length >= 0x80) {
    const count = length & 0x7f
    if (count === 0 || count > 4 || start + count > limit) throw new DerError(`a length that cannot be read at byte ${at}`)
    length = 0
    for (let index = 0; index < count; index++) length = length * 256 + bytes[start + index]!
    if (length < 0x80 || length < 256 ** (count - 1)) throw new DerError(`a length that is not the shortest at byte ${at}`)
    start += count
  }
  const end = start + length
  if (end > limit) throw new DerError(`a value of ${length} bytes at byte ${at} goes over its end`)
  return { tag, from: at, start, end }
}

/** The values within a constructed one, in order, one at a time; `next` wants the tag it is told. */
export class DerChildren {
  readonly #bytes: Uint8Array
  readonly #end: number
  #at: number

  constructor(bytes: Uint8Array, within: DerValue) {
    this.#bytes = bytes
    this.#at = within.start
    this.#end = within.end
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end
  }

  /** Tag of the next value; undefined at the end. */
  get tag(): number | undefined {
    return this.isAtEnd ? undefined : this.#bytes[this.#at]
  }

  /** @throws {DerError} none is left, or its tag is another one */
  next(...tags: readonly number[]): DerValue {
    const value = readDer(this.#bytes, this.#at, this.#end)
    if (tags.length > 0 && !tags.includes(value.tag))
      throw new DerError(`tag ${value.tag} at byte ${value.from}, wanted ${tags.join(' or ')}`)
    this.#at = value.end
    return value
  }

  /** The next one if it has this tag. */
  optional(tag: number): DerValue | undefined {
    return this.tag === tag ? this.next() : undefined
  }
}

/** The whole text as one value of this tag. @throws {DerError} bytes are left behind it, or it is none */
export function wholeDer(bytes: Uint8Array, tag: number): DerValue {
  const value = readDer(bytes, 0, bytes.length)
  if (value.tag !== tag) throw new DerError(`it begins with tag ${value.tag}, wanted ${tag}`)
  if (value.end !== bytes.length) throw new DerError(`${bytes.length - value.end} bytes behind its end`)
  return value
}

/** `1.2.840.113549.1.7.2` */
export function oidText(bytes: Uint8Array, value: DerValue): string {
  const numbers: number[] = []
  let number = 0
  for (let at = value.start; at < value.end; at++) {
    number = number * 128 + (bytes[at]! & 0x7f)
    if (number > 2 ** 40) throw new DerError('an object identifier that is too large')
    if (bytes[at]! >= 0x80) continue
    if (numbers.length === 0) {
      const first = Math.min(2, Math.floor(number / 40))
      numbers.push(first, number - first * 40)
    } else numbers.push(number)
    number = 0
  }
  return numbers.join('.')
}

/** An integer as X509Certificate.serialNumber spells it: hex, upper case, no leading zeros beyond whole octets. */
export function serialText(bytes: Uint8Array, value: DerValue): string {
  let { start } = value
  while (start < value.end - 1 && bytes[start] === 0) start++
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, value.end - start)
    .toString('hex')
    .toUpperCase()
}

/** A non-negative integer of any size. @throws {DerError} it is negative or empty */
export function integerValue(bytes: Uint8Array, value: DerValue): bigint {
  if (value.end === value.start || bytes[value.start]! >= 0x80) throw new DerError('a number that is negative or empty')
  return BigInt(`0x${serialText(bytes, value)}`)
}

/** UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 allows them, in ms since 1970. */
export function timeMs(bytes: Uint8Array, value: DerValue): number {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + value.start, value.end - value.start).toString('latin1')
  const parts = (value.tag === TAG.utcTime ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/).exec(
    text,
  )
  if (parts === null) throw new DerError('a time that cannot be read')
  const [year, month, day, hour, minute, second] = parts.slice(1).map(Number) as [number, number, number, number, number, number]
  const fullYear = value.tag === TAG.utcTime ? year + (year >= 50 ? 1900 : 2000) : year
  const ms = Date.UTC(fullYear, month - 1, day, hour, minute, second)
  const isReal = month >= 1 && month <= 12 && new Date(ms).getUTCDate() === day && hour < 24 && minute < 60 && second < 60
  if (!isReal) throw new DerError('a time that does not exist')
  return ms
}
