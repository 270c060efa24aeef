// Certificates and revocation lists against RFC 5280, as far as this program and its peers rely on it. Each finding begins with the name of its rule.

import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { type Der, readDer, TAG } from './der.ts'
import {
  CERTIFICATE_LIMIT_BYTES,
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
  subjectKeyOf,
} from './rfc5280-parts.ts'

const CLIENT_AUTH = '2b06010505070302'
const SERVER_AUTH = '2b06010505070301'
const EC_PUBLIC_KEY = '2a8648ce3d0201'
const RSA = '2a864886f70d010101'
const KEY_CERT_SIGN = 5
const CRL_SIGN = 6
const DIGITAL_SIGNATURE = 0
const EXPLICIT_3 = 0xa3

export interface Parsed {
  readonly serial: Der
  readonly issuer: Der
  readonly subject: Der
  readonly publicKey: Der
  readonly extensions: Map<string, Extension>
}

/** Which bits of a named bit list are set. */
function bitsOf(value: Der): number[] {
  const octets = value.content.subarray(1)
  return Array.from({ length: octets.length * 8 }, (_, bit) => bit).filter((bit) => (octets[bit >> 3]! & (0x80 >> (bit & 7))) !== 0)
}

export function publicKeyOf(parsed: Parsed): KeyObject {
  return createPublicKey({ key: parsed.publicKey.raw, format: 'der', type: 'spki' })
}

function lintBasicConstraints(extension: Extension | undefined, found: Found): boolean {
  const rule = 'basic-constraints'
  if (extension === undefined) {
    found(rule, 'missing')
    return false
  }
  const [first, second] = extension.value.parts
  const isFlag = first?.tag === TAG.BOOLEAN
  const isAuthority = isFlag && first.content[0] === 0xff
  const pathLength = isFlag ? second : first
  if (extension.value.tag !== TAG.SEQUENCE) found(rule, 'no SEQUENCE')
  if (isFlag && !isAuthority) found(rule, 'default FALSE of cA is written')
  if (isAuthority && !extension.critical) found(rule, 'not critical in an authority')
  if (pathLength !== undefined && !isAuthority) found(rule, 'path length without cA')
  if (pathLength !== undefined && (pathLength.tag !== TAG.INTEGER || (pathLength.content[0]! & 0x80) !== 0))
    found(rule, 'negative path length')
  return isAuthority
}

function lintKeyUsage(extension: Extension | undefined, isAuthority: boolean, found: Found): void {
  const rule = 'key-usage'
  if (extension === undefined) {
    found(rule, 'missing')
    return
  }
  if (!extension.critical) found(rule, 'not critical')
  if (extension.value.tag !== TAG.BIT_STRING) {
    found(rule, 'no BIT STRING')
    return
  }
  const bits = bitsOf(extension.value)
  // X.690 section 11.2.2: zeros at the end of a named bit list are not written.
  const written = (extension.value.content.length - 1) * 8 - extension.value.content[0]!
  if (bits.length === 0) found(rule, 'empty')
  else if (bits.at(-1) !== written - 1) found(rule, 'zero bits at the end are written')
  if (isAuthority && !(bits.includes(KEY_CERT_SIGN) && bits.includes(CRL_SIGN))) found(rule, 'authority without keyCertSign and cRLSign')
  if (!isAuthority && bits.includes(KEY_CERT_SIGN)) found(rule, 'keyCertSign without cA')
  if (!isAuthority && !bits.includes(DIGITAL_SIGNATURE)) found(rule, 'host without digitalSignature')
}

function lintExtendedKeyUsage(extension: Extension | undefined, isAuthority: boolean, found: Found): void {
  const rule = 'extended-key-usage'
  if (extension === undefined) {
    if (!isAuthority) found(rule, 'missing')
    return
  }
  const purposes = extension.value.parts.map(hexOf)
  if (purposes.length === 0) found(rule, 'empty')
  if (!purposes.includes(CLIENT_AUTH) && !purposes.includes(SERVER_AUTH)) found(rule, 'neither clientAuth nor serverAuth')
}

function lintAlternativeNames(extension: Extension | undefined, isSubjectEmpty: boolean, found: Found): void {
  const rule = 'subject-alternative-name'
  if (extension === undefined) {
    found(rule, 'missing')
    return
  }
  // Sections 4.1.2.6 and 4.2.1.6.
  if (extension.critical !== isSubjectEmpty)
    found(rule, isSubjectEmpty ? 'not critical beside an empty subject' : 'critical beside a subject')
  if (extension.value.parts.length === 0) found(rule, 'empty')
  for (const { tag, content } of extension.value.parts) {
    const text = content.toString('latin1')
    if (tag === 0x82 && !/^(?!\.)[\x21-\x7e]+$/.test(text)) found(rule, `dNSName "${text}"`)
    if (tag === 0x86 && !/^[a-z][a-z0-9+.-]*:[\x21-\x7e]+$/i.test(text)) found(rule, `URI "${text}" is relative or has other characters`)
    if (tag === 0x87 && content.length !== 4 && content.length !== 16) found(rule, `iPAddress of ${content.length} octets`)
  }
}

function lintDistributionPoints(extension: Extension | undefined, found: Found): void {
  if (extension === undefined) return
  const rule = 'crl-distribution-points'
  if (extension.critical) found(rule, 'critical')
  // DistributionPoint { [0] { [0] fullName { [6] URI } } }
  const uris = extension.value.parts.flatMap((point) => point.parts.flatMap(({ parts }) => parts.flatMap((name) => name.parts)))
  if (uris.length === 0 || uris.some(({ tag, content }) => tag !== 0x86 || !/^https?:\/\/[\x21-\x7e]+$/.test(content.toString('latin1'))))
    found(rule, 'no HTTP address')
}

function lintKeyIdentifiers(der: Buffer, parsed: Parsed, isAuthority: boolean, found: Found): void {
  // A cross certificate has one name twice as well, and another key above it.
  const isSelfSigned = parsed.issuer.raw.equals(parsed.subject.raw) && new X509Certificate(der).verify(publicKeyOf(parsed))
  const own = parsed.extensions.get(EXTENSION.subjectKeyIdentifier)
  const rule = 'subject-key-identifier'
  // Section 4.2.1.2: must in authorities, should in others; one that is known by its pin alone is found by nobody through it.
  if (own === undefined && (isAuthority || !isSelfSigned)) found(rule, 'missing')
  if (own?.critical) found(rule, 'critical')
  const bits = parsed.publicKey.parts[1]!.content.subarray(1)
  if (own !== undefined && !own.value.content.equals(createHash('sha1').update(bits).digest())) found(rule, 'not the SHA-1 of the key')
  const above = parsed.extensions.get(EXTENSION.authorityKeyIdentifier)
  if (above === undefined && !isSelfSigned) found('authority-key-identifier', 'missing')
  lintAuthorityKeyIdentifier(above, isSelfSigned ? subjectKeyOf(parsed.extensions) : undefined, found)
}

function lintPublicKey(publicKey: Der, found: Found): void {
  const [algorithm, bits] = publicKey.parts
  const kind = hexOf(algorithm?.parts[0])
  const parameters = algorithm?.parts[1]
  const isSound =
    bits?.tag === TAG.BIT_STRING &&
    (kind === EC_PUBLIC_KEY ? parameters?.tag === TAG.OID : kind === RSA ? parameters?.tag === TAG.NULL : parameters === undefined)
  if (!isSound) found('public-key', 'wrong parameters or no key')
}

/** The fields, with what is wrong with each by itself; undefined for what is no certificate at all. */
export function parse(der: Buffer, found: Found): { parsed: Parsed; tbs: Der } | undefined {
  const [tbs, algorithm, signature, ...more] = readDer(der, CERTIFICATE_LIMIT_BYTES).parts
  const fields = [...(tbs?.parts ?? [])]
  if (tbs === undefined || algorithm === undefined || signature?.tag !== TAG.BIT_STRING || more.length > 0 || fields.length < 6) {
    found('structure', 'no Certificate')
    return undefined
  }
  const version = fields[0]!.tag === EXPLICIT_0 ? fields.shift()! : undefined
  if (hexOf(version?.parts[0]) !== '02') found('version', 'not 3')
  const [serial, inside, issuer, validity, subject, publicKey, ...rest] = fields
  const extensions = rest.find(({ tag }) => tag === EXPLICIT_3)
  if (rest.length > 1 || (rest.length === 1 && extensions === undefined)) found('structure', 'unique identifiers, or unknown fields')
  lintSerial(serial!, found)
  lintAlgorithm(inside!, algorithm, found)
  lintName(issuer!, found, 'issuer')
  if (issuer!.parts.length === 0) found('issuer', 'empty')
  lintName(subject!, found, 'subject')
  const from = lintTime(validity!.parts[0]!, found, 'validity')
  const to = lintTime(validity!.parts[1]!, found, 'validity')
  if (from >= to) found('validity', 'ends before it begins')
  lintPublicKey(publicKey!, found)
  const known = Object.values(EXTENSION)
  const list = extensions?.parts[0]?.parts ?? []
  return {
    tbs,
    parsed: {
      serial: serial!,
      issuer: issuer!,
      subject: subject!,
      publicKey: publicKey!,
      extensions: lintExtensions(list, known, found, 'extensions'),
    },
  }
}

/** What is wrong with a certificate; nothing when it is sound. @param issuer DER of the certificate above it, or of itself, to compare with */
export function lintCertificate(der: Buffer, issuer?: Buffer): string[] {
  return collect((found) => {
    const parsed = parse(der, found)?.parsed
    if (parsed === undefined) return
    const { extensions } = parsed
    const isSubjectEmpty = parsed.subject.parts.length === 0
    const isAuthority = lintBasicConstraints(extensions.get(EXTENSION.basicConstraints), found)
    if (isAuthority && isSubjectEmpty) found('subject', 'empty in an authority')
    lintKeyUsage(extensions.get(EXTENSION.keyUsage), isAuthority, found)
    lintExtendedKeyUsage(extensions.get(EXTENSION.extKeyUsage), isAuthority, found)
    if (!isAuthority) lintAlternativeNames(extensions.get(EXTENSION.subjectAltName), isSubjectEmpty, found)
    lintDistributionPoints(extensions.get(EXTENSION.crlDistributionPoints), found)
    lintKeyIdentifiers(der, parsed, isAuthority, found)
    if (issuer !== undefined) lintAgainstIssuer(der, parsed, issuer, found)
  })
}

function lintAgainstIssuer(der: Buffer, parsed: Parsed, issuer: Buffer, found: Found): void {
  const above = parse(issuer, () => {})!.parsed
  if (!parsed.issuer.raw.equals(above.subject.raw)) found('issuer', 'not the subject of the certificate above')
  lintAuthorityKeyIdentifier(parsed.extensions.get(EXTENSION.authorityKeyIdentifier), subjectKeyOf(above.extensions), found)
  if (!new X509Certificate(der).verify(publicKeyOf(above))) found('signature', 'not by the key above')
}
