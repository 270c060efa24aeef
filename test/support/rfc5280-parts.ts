// What certificates and revocation lists have in common, against RFC 5280.

import { type Der, DerFault, readDer, TAG, timeOf } from './der.ts'

export const CERTIFICATE_LIMIT_BYTES = 64 << 10
export const SERIAL_OCTETS = 20
const YEAR_2050_MS = Date.UTC(2050, 0, 1)
export const EXPLICIT_0 = 0xa0

// OIDs by the hex of their content.
export const EXTENSION = {
  subjectKeyIdentifier: '551d0e',
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  crlNumber: '551d14',
  reasonCode: '551d15',
  invalidityDate: '551d18',
  crlDistributionPoints: '551d1f',
  authorityKeyIdentifier: '551d23',
  extKeyUsage: '551d25',
} as const
/** Signature algorithms with SHA-256 or better, and whether their parameters are NULL (RFC 4055) or absent (RFC 5758, RFC 8410). */
const SIGNATURES: Readonly<Record<string, 'null' | 'absent'>> = {
  '2a8648ce3d040302': 'absent',
  '2a8648ce3d040303': 'absent',
  '2a8648ce3d040304': 'absent',
  '2a864886f70d01010b': 'null',
  '2a864886f70d01010c': 'null',
  '2a864886f70d01010d': 'null',
  '2b6570': 'absent',
}

export type Found = (rule: string, what: string) => void

export interface Extension {
  readonly critical: boolean
  readonly value: Der
}

export function hexOf(value: Der | undefined): string {
  return value?.content.toString('hex') ?? ''
}

export function lintAlgorithm(inside: Der, outside: Der, found: Found): void {
  // Section 4.1.1.2.
  if (!inside.raw.equals(outside.raw)) found('signature-algorithm', 'the one that is signed and the one outside differ')
  const expected = SIGNATURES[hexOf(inside.parts[0])]
  const parameters = inside.parts[1]
  if (expected === undefined) found('signature-algorithm', 'unknown, or with a digest weaker than SHA-256')
  else if (expected === 'absent' ? parameters !== undefined : parameters?.tag !== TAG.NULL) found('signature-algorithm', 'wrong parameters')
}

export function lintSerial(serial: Der, found: Found, rule = 'serial'): void {
  // Section 4.1.2.2.
  if (serial.tag !== TAG.INTEGER) found(rule, 'no INTEGER')
  else if (serial.content.length > SERIAL_OCTETS) found(rule, `${serial.content.length} octets`)
  else if ((serial.content[0]! & 0x80) !== 0 || serial.content.every((octet) => octet === 0)) found(rule, 'not positive')
}

/** @returns milliseconds */
export function lintTime(time: Der, found: Found, rule: string): number {
  const ms = time.tag === TAG.UTC_TIME || time.tag === TAG.GENERALIZED_TIME ? timeOf(time.content.toString('latin1')) : undefined
  if (ms === undefined) {
    found(rule, 'no time')
    return Number.NaN
  }
  // Section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on.
  if ((time.tag === TAG.UTC_TIME) !== ms < YEAR_2050_MS) found(rule, 'the wrong one of UTCTime and GeneralizedTime')
  return ms
}

export function lintName(name: Der, found: Found, rule: string): void {
  const isName = name.tag === TAG.SEQUENCE && name.parts.every(({ tag, parts }) => tag === TAG.SET && parts.length > 0)
  if (!isName) found(rule, 'no Name')
  const values = name.parts.flatMap((part) => part.parts).map((attribute) => attribute.parts[1])
  if (values.some((value) => value === undefined || value.content.length === 0)) found(rule, 'an empty attribute')
  if (values.some((value) => value !== undefined && value.content.toString('utf8').length > 64))
    found(rule, 'an attribute of over 64 characters')
}

/** By OID. A value that is no DER is left out, and found. */
export function lintExtensions(list: readonly Der[], known: readonly string[], found: Found, rule: string): Map<string, Extension> {
  const extensions = new Map<string, Extension>()
  if (list.length === 0) found(rule, 'an empty list')
  for (const { parts } of list) {
    const oid = hexOf(parts[0])
    const flag = parts.length === 3 ? parts[1] : undefined
    const octets = parts.at(-1)
    if (parts.length < 2 || parts.length > 3 || octets?.tag !== TAG.OCTET_STRING) {
      found(rule, 'no Extension')
      continue
    }
    // X.690 section 11.5: critical is FALSE by default, and a default is not written.
    if (flag !== undefined && (flag.tag !== TAG.BOOLEAN || flag.content[0] === 0))
      found(rule, `default FALSE of critical is written in ${oid}`)
    if (extensions.has(oid)) found(rule, `twice ${oid}`)
    const critical = flag?.content[0] === 0xff
    if (critical && !known.includes(oid)) found(rule, `critical and unknown: ${oid}`)
    try {
      extensions.set(oid, { critical, value: readDer(octets.content, CERTIFICATE_LIMIT_BYTES) })
    } catch (error) {
      if (!(error instanceof DerFault)) throw error
      found('der', `in extension ${oid}: ${error.message}`)
    }
  }
  return extensions
}

export function subjectKeyOf(extensions: Map<string, Extension>): Buffer | undefined {
  return extensions.get(EXTENSION.subjectKeyIdentifier)?.value.content
}

export function lintAuthorityKeyIdentifier(extension: Extension | undefined, expected: Buffer | undefined, found: Found): void {
  if (extension === undefined) return
  const rule = 'authority-key-identifier'
  if (extension.critical) found(rule, 'critical')
  const key = extension.value.parts.find(({ tag }) => tag === 0x80)
  if (key === undefined || key.content.length === 0) found(rule, 'without key identifier')
  else if (expected !== undefined && !key.content.equals(expected)) found(rule, 'not that of the issuer')
}

export function collect(lint: (found: Found) => void): string[] {
  const findings: string[] = []
  const found: Found = (rule, what) => {
    findings.push(`${rule}: ${what}`)
  }
  try {
    lint(found)
  } catch (error) {
    if (!(error instanceof DerFault)) throw error
    found('der', error.message)
  }
  return findings
}
