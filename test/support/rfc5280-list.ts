// Revocation lists against RFC 5280 section 5; see rfc5280.ts.

import { verify } from 'node:crypto'
import { type Der, readDer, TAG } from './der.ts'
import { parse, publicKeyOf } from './rfc5280.ts'
import {
  collect,
  EXPLICIT_0,
  EXTENSION,
  type Extension,
  type Found,
  hexOf,
  lintAlgorithm,
  lintAuthorityKeyIdentifier,
  lintExtensions,
  lintName,
  lintSerial,
  lintTime,
  SERIAL_OCTETS,
  subjectKeyOf,
} from './rfc5280-parts.ts'

const CRL_LIMIT_BYTES = 16 << 20

function lintEntry(entry: Der, serials: Set<string>, found: Found): void {
  const [serial, date, extensions] = entry.parts
  lintSerial(serial!, found, 'entry-serial')
  if (serials.has(hexOf(serial))) found('entry-serial', 'twice')
  serials.add(hexOf(serial))
  lintTime(date!, found, 'entry-date')
  if (extensions === undefined) return
  const known = lintExtensions(extensions.parts, [], found, 'entry-extensions')
  // Section 5.3.2: GeneralizedTime whatever the year; the reader takes none with fractions.
  const invalidity = known.get(EXTENSION.invalidityDate)
  if (invalidity !== undefined && invalidity.value.tag !== TAG.GENERALIZED_TIME) found('entry-invalidity', 'no GeneralizedTime')
  const reason = known.get(EXTENSION.reasonCode)
  if (reason === undefined) return
  // Section 5.3.1: unspecified (0) is left out, 7 does not exist, 8 (removeFromCRL) is for delta lists.
  const code = reason.value.content[0]!
  if (reason.value.tag !== TAG.ENUMERATED || code === 0 || code === 7 || code === 8 || code > 10) found('entry-reason', `${code}`)
}

/** What is wrong with a revocation list; nothing when it is sound. @param issuer DER of the certificate whose key signed it */
export function lintRevocationList(der: Buffer, issuer?: Buffer): string[] {
  return collect((found) => {
    const [tbs, algorithm, signature, ...more] = readDer(der, CRL_LIMIT_BYTES).parts
    const fields = [...(tbs?.parts ?? [])]
    if (tbs === undefined || algorithm === undefined || signature?.tag !== TAG.BIT_STRING || more.length > 0) {
      found('structure', 'no CertificateList')
      return
    }
    const version = fields[0]?.tag === TAG.INTEGER ? fields.shift() : undefined
    if (hexOf(version) !== '01') found('version', 'not 2')
    const [inside, name, thisUpdate] = fields.splice(0, 3)
    if (thisUpdate === undefined) {
      found('structure', 'fields are missing')
      return
    }
    lintAlgorithm(inside!, algorithm, found)
    lintName(name!, found, 'issuer')
    if (name!.parts.length === 0) found('issuer', 'empty')
    const from = lintTime(thisUpdate, found, 'this-update')
    const next = fields[0]?.tag === TAG.UTC_TIME || fields[0]?.tag === TAG.GENERALIZED_TIME ? fields.shift() : undefined
    if (next === undefined) found('next-update', 'missing')
    else if (lintTime(next, found, 'next-update') <= from) found('next-update', 'not after this update')
    const entries = fields[0]?.tag === TAG.SEQUENCE ? fields.shift() : undefined
    // Section 5.1.2.6: absent when there are none.
    if (entries?.parts.length === 0) found('entries', 'an empty list is written')
    const serials = new Set<string>()
    for (const entry of entries?.parts ?? []) lintEntry(entry, serials, found)
    const list = fields[0]?.tag === EXPLICIT_0 ? fields.shift()!.parts[0]!.parts : []
    if (fields.length > 0) found('structure', 'unknown fields')
    const extensions = lintExtensions(list, [], found, 'extensions')
    lintListExtensions(extensions, found)
    if (issuer === undefined) return
    const above = parse(issuer, () => {})!.parsed
    if (!name!.raw.equals(above.subject.raw)) found('issuer', 'not the subject of the certificate above')
    lintAuthorityKeyIdentifier(extensions.get(EXTENSION.authorityKeyIdentifier), subjectKeyOf(above.extensions), found)
    if (!verify('sha256', tbs.raw, publicKeyOf(above), signature.content.subarray(1))) found('signature', 'not by the key above')
  })
}

function lintListExtensions(extensions: Map<string, Extension>, found: Found): void {
  const authorityKey = extensions.get(EXTENSION.authorityKeyIdentifier)
  if (authorityKey === undefined) found('authority-key-identifier', 'missing')
  lintAuthorityKeyIdentifier(authorityKey, undefined, found)
  const number = extensions.get(EXTENSION.crlNumber)
  if (number === undefined) {
    found('crl-number', 'missing')
    return
  }
  if (number.critical) found('crl-number', 'critical')
  // Section 5.2.3.
  const { tag, content } = number.value
  if (tag !== TAG.INTEGER || content.length > SERIAL_OCTETS || (content[0]! & 0x80) !== 0) found('crl-number', 'negative or over 20 octets')
}
