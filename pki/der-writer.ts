// Writes DER (X.690): just what a revocation list takes. Certificates are written by the package, whose lists take a time that grows with the square of their entries.

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content])
  const octets: number[] = []
  for (let left = length; left > 0; left = Math.floor(left / 256)) octets.unshift(left & 0xff)
  return Buffer.concat([Buffer.from([tag, 0x80 | octets.length, ...octets]), content])
}

export function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts))
}

/** `[number]` EXPLICIT around parts, or IMPLICIT in place of a SEQUENCE's tag. */
export function context(number: number, ...parts: readonly Buffer[]): Buffer {
  return tagged(0xa0 | number, Buffer.concat(parts))
}

/** `[number]` IMPLICIT in place of the tag of a value that has no parts. */
export function contextValue(number: number, content: Buffer): Buffer {
  return tagged(0x80 | number, content)
}

/** A non-negative INTEGER. @param hex digits of any case, leading zeros or none */
export function integer(hex: string): Buffer {
  const digits = hex.replace(/^0+(?=.)/, '')
  const octets = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex')
  return tagged(0x02, octets[0]! >= 0x80 ? Buffer.concat([Buffer.of(0), octets]) : octets)
}

/** ENUMERATED, up to 127. */
export function enumerated(value: number): Buffer {
  return tagged(0x0a, Buffer.of(value))
}

export function octetString(content: Buffer): Buffer {
  return tagged(0x04, content)
}

/** BIT STRING of whole octets. */
export function bitString(content: Buffer): Buffer {
  return tagged(0x03, Buffer.concat([Buffer.of(0), content]))
}

/** @param text such as `2.5.29.20` */
export function objectIdentifier(text: string): Buffer {
  const [first, second, ...rest] = text.split('.').map(Number)
  const octets: number[] = []
  for (const number of [first! * 40 + second!, ...rest]) {
    const groups = [number & 0x7f]
    for (let left = number >>> 7; left > 0; left >>>= 7) groups.unshift(0x80 | (left & 0x7f))
    octets.push(...groups)
  }
  return tagged(0x06, Buffer.from(octets))
}

/** To the second: UTCTime through 2049 and GeneralizedTime after, RFC 5280 section 4.1.2.5. */
export function time(date: Date): Buffer {
  const digits = date.toISOString().slice(0, 19).replace(/[-T:]/g, '')
  const isShort = date.getUTCFullYear() >= 1950 && date.getUTCFullYear() < 2050
  return tagged(isShort ? 0x17 : 0x18, Buffer.from(`${isShort ? digits.slice(2) : digits}Z`, 'latin1'))
}
