// A strict reader of DER (X.690), apart from those that the program and its packages use: whatever it takes has one encoding alone.

export class DerFault extends Error {}

export const TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OID: 0x06,
  ENUMERATED: 0x0a,
  UTF8_STRING: 0x0c,
  PRINTABLE_STRING: 0x13,
  IA5_STRING: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  BMP_STRING: 0x1e,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const

const CONSTRUCTED = 0x20
const CONTEXT_CLASS = 0x80
const DEPTH_LIMIT = 32

/** One value. `parts` are those of a constructed one, `content` the octets of any. */
export interface Der {
  /** Identifier octet: class, constructed or not, number. */
  readonly tag: number
  readonly content: Buffer
  /** Header and content. */
  readonly raw: Buffer
  readonly parts: readonly Der[]
}

function fault(what: string, at: number): DerFault {
  return new DerFault(`${what} at octet ${at}`)
}

function lengthAt(bytes: Buffer, at: number): { length: number; next: number } {
  const first = bytes[at]
  if (first === undefined) throw fault('length is missing', at)
  if (first < 0x80) return { length: first, next: at + 1 }
  const count = first & 0x7f
  if (count === 0) throw fault('indefinite length', at)
  if (count > 4 || at + 1 + count > bytes.length) throw fault('length is too long or cut', at)
  const length = bytes.readUIntBE(at + 1, count)
  if (length < 0x80 || bytes[at + 1] === 0) throw fault('length is not in its shortest form', at)
  return { length, next: at + 1 + count }
}

function checkOid(content: Buffer): string | undefined {
  if (content.length === 0) return 'empty OID'
  if ((content.at(-1)! & 0x80) !== 0) return 'OID is cut'
  const isPadded = content.some((octet, index) => octet === 0x80 && (index === 0 || (content[index - 1]! & 0x80) === 0))
  return isPadded ? 'OID is padded' : undefined
}

function checkBits(content: Buffer): string | undefined {
  const unused = content[0]
  if (unused === undefined || unused > 7 || (content.length === 1 && unused > 0)) return 'BIT STRING with a wrong count of unused bits'
  return content.length > 1 && (content.at(-1)! & ((1 << unused) - 1)) !== 0 ? 'BIT STRING with unused bits that are set' : undefined
}

function checkNumber(content: Buffer): string | undefined {
  if (content.length === 0) return 'INTEGER without octets'
  const [first, second] = [content[0]!, content[1]]
  if (second === undefined) return undefined
  const isPadded = (first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)
  return isPadded ? 'INTEGER is not in its shortest form' : undefined
}

function checkTime(content: Buffer, form: RegExp): string | undefined {
  const text = content.toString('latin1')
  if (!form.test(text)) return `time "${text}" is not to the second in UTC`
  return timeOf(text) === undefined ? `time "${text}" is no date` : undefined
}

function checkUtf8(content: Buffer): string | undefined {
  return Buffer.from(content.toString('utf8'), 'utf8').equals(content) ? undefined : 'UTF8String is no UTF-8'
}

function checkCharacters(content: Buffer, form: RegExp, what: string): string | undefined {
  return form.test(content.toString('latin1')) ? undefined : `${what} with a character that it may not have`
}

const CHECKS: Readonly<Record<number, (content: Buffer) => string | undefined>> = {
  [TAG.BOOLEAN]: (content) =>
    content.length === 1 && (content[0] === 0 || content[0] === 0xff) ? undefined : 'BOOLEAN that is neither 00 nor FF',
  [TAG.INTEGER]: checkNumber,
  [TAG.ENUMERATED]: checkNumber,
  [TAG.BIT_STRING]: checkBits,
  [TAG.OCTET_STRING]: () => undefined,
  [TAG.NULL]: (content) => (content.length === 0 ? undefined : 'NULL with octets'),
  [TAG.OID]: checkOid,
  [TAG.UTF8_STRING]: checkUtf8,
  [TAG.PRINTABLE_STRING]: (content) => checkCharacters(content, /^[A-Za-z0-9 '()+,\-./:=?]*$/, 'PrintableString'),
  [TAG.IA5_STRING]: (content) => checkCharacters(content, /^[\x00-\x7f]*$/, 'IA5String'),
  [TAG.UTC_TIME]: (content) => checkTime(content, /^\d{12}Z$/),
  [TAG.GENERALIZED_TIME]: (content) => checkTime(content, /^\d{14}Z$/),
  [TAG.BMP_STRING]: (content) => (content.length % 2 === 0 ? undefined : 'BMPString with half a character'),
}

/** Milliseconds of a UTCTime or GeneralizedTime in DER; undefined for what is no date. RFC 5280 section 4.1.2.5.1: two digits stand for 1950 to 2049. */
export function timeOf(text: string): number | undefined {
  const full = text.length === 13 ? `${Number(text.slice(0, 2)) >= 50 ? '19' : '20'}${text}` : text
  const iso = full.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6.000Z')
  const date = new Date(iso)
  // The round trip finds a 31st of June.
  return !Number.isNaN(date.getTime()) && date.toISOString() === iso ? date.getTime() : undefined
}

function valueAt(bytes: Buffer, start: number, depth: number): { value: Der; next: number } {
  if (depth > DEPTH_LIMIT) throw fault(`more than ${DEPTH_LIMIT} values within each other`, start)
  const tag = bytes[start]
  if (tag === undefined) throw fault('value is missing', start)
  if ((tag & 0x1f) === 0x1f) throw fault('tag of several octets', start)
  const { length, next } = lengthAt(bytes, start + 1)
  const end = next + length
  if (end > bytes.length) throw fault('value is cut', start)
  const content = bytes.subarray(next, end)
  const isConstructed = (tag & CONSTRUCTED) !== 0
  const isContext = (tag & 0xc0) === CONTEXT_CLASS
  const parts: Der[] = []
  if (isConstructed) {
    if (!isContext && tag !== TAG.SEQUENCE && tag !== TAG.SET) throw fault(`constructed value of tag ${tag.toString(16)}`, start)
    for (let at = next; at < end; ) {
      const part = valueAt(bytes.subarray(0, end), at, depth + 1)
      parts.push(part.value)
      at = part.next
    }
    if (tag === TAG.SET && parts.some((part, index) => index > 0 && Buffer.compare(parts[index - 1]!.raw, part.raw) > 0))
      throw fault('SET OF that is not in order', start)
  } else if (!isContext) {
    const check = CHECKS[tag]
    const found = check === undefined ? `unknown tag ${tag.toString(16)}` : check(content)
    if (found !== undefined) throw fault(found, start)
  }
  return { value: { tag, content, raw: bytes.subarray(start, end), parts }, next: end }
}

/** The one value that fills `bytes`. @throws {DerFault} for more than `limitBytes`, and for what has another encoding or none */
export function readDer(bytes: Buffer, limitBytes: number): Der {
  if (bytes.length > limitBytes) throw new DerFault(`${bytes.length} octets, the limit is ${limitBytes}`)
  const { value, next } = valueAt(bytes, 0, 0)
  if (next !== bytes.length) throw fault('octets behind the end', next)
  return value
}

/** A value as it is written; DER as long as the parts are. */
export function writeDer(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content)
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body])
  const hex = body.length.toString(16)
  const length = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return Buffer.concat([Buffer.of(tag, 0x80 | length.length), length, body])
}
