const SEQUENCE = 0x30
const INTEGER = 0x02
const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18

export interface ListDates {
  readonly thisUpdate: Date
  /** Undefined where the list promises none. */
  readonly nextUpdate: Date | undefined
}

interface Value {
  readonly tag: number
  readonly content: Buffer
  readonly next: number
}

function valueAt(bytes: Buffer, at: number): Value | undefined {
  const [tag, first] = [bytes[at], bytes[at + 1]]
  if (tag === undefined || first === undefined) return undefined
  const count = first < 0x80 ? 0 : first & 0x7f
  if (count > 4 || first === 0x80 || at + 2 + count > bytes.length) return undefined
  const start = at + 2 + count
  const end = start + (count === 0 ? first : bytes.readUIntBE(at + 2, count))
  return end <= bytes.length ? { tag, content: bytes.subarray(start, end), next: end } : undefined
}

function dateOf(value: Value | undefined): Date | undefined {
  if (value === undefined || (value.tag !== UTC_TIME && value.tag !== GENERALIZED_TIME)) return undefined
  const text = value.content.toString('latin1')
  // RFC 5280 section 4.1.2.5.1: two digits stand for 1950 to 2049.
  const full = value.tag === GENERALIZED_TIME ? text : `${text < '50' ? '20' : '19'}${text}`
  const date = new Date(full.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  return Number.isNaN(date.getTime()) ? undefined : date
}

/**
 * When a revocation list (DER) was made and when the next one is due, to tell a person; whether to believe it is decided elsewhere.
 * Undefined for what does not read as a list. RFC 5280 section 5.1: CertificateList { TBSCertList { [version], algorithm, issuer, thisUpdate, [nextUpdate] } }.
 */
export function listDates(der: Buffer): ListDates | undefined {
  const list = valueAt(der, 0)
  const signed = list?.tag === SEQUENCE ? valueAt(list.content, 0) : undefined
  if (signed?.tag !== SEQUENCE) return undefined
  const version = valueAt(signed.content, 0)
  const algorithm = version?.tag === INTEGER ? valueAt(signed.content, version.next) : version
  const issuer = algorithm === undefined ? undefined : valueAt(signed.content, algorithm.next)
  const first = issuer === undefined ? undefined : valueAt(signed.content, issuer.next)
  const thisUpdate = dateOf(first)
  if (first === undefined || thisUpdate === undefined) return undefined
  return { thisUpdate, nextUpdate: dateOf(valueAt(signed.content, first.next)) }
}
