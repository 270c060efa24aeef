// Reads a certificate signing request of a stranger. What it asks for is compared with what is allowed; nothing of it but the key is ever copied.

import 'reflect-metadata'
import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { isIPv6, SocketAddress } from 'node:net'
import * as x509 from '@peculiar/x509'
import { printable } from '../core/base/printable.ts'
import { CSR_LIMIT_BYTES } from './service.ts'

export interface SigningRequest {
  /** SubjectPublicKeyInfo in its one spelling, DER. */
  readonly publicKey: Buffer
  /** SHA-256 of it, lower-case hex. */
  readonly spki: string
  readonly keyKind: 'EC' | 'RSA'
  readonly asks: Asked
}

/** What the request wants to have in the certificate. */
export interface Asked {
  readonly commonNames: readonly string[]
  readonly dnsNames: readonly string[]
  readonly addresses: readonly string[]
  readonly uris: readonly string[]
  /** Object identifiers, or names where there is one. */
  readonly usages: readonly string[]
  readonly isAuthority: boolean
  /** In words: what no certificate of ours has. */
  readonly others: readonly string[]
}

export interface Allowed {
  readonly dnsNames: readonly string[]
  readonly addresses: readonly string[]
  readonly uris: readonly string[]
  readonly usages: readonly string[]
}

export type SigningRequestResult =
  | { readonly kind: 'ok'; readonly request: SigningRequest }
  | { readonly kind: 'malformed'; readonly reason: string }

// NIST SP 800-57 part 1: 112 bits at least. The upper limit keeps one signature check from taking seconds.
const RSA_BITS_MIN = 2048
const RSA_BITS_MAX = 8192
const CURVES: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384' }
const HASHES = ['SHA-256', 'SHA-384', 'SHA-512']
// X.520: the longest upper bound there is, but for names of hosts.
const VALUE_CHARACTERS = 253

const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17'
const KEY_USAGE = '2.5.29.15'
const EXTENDED_KEY_USAGE = '2.5.29.37'
const BASIC_CONSTRAINTS = '2.5.29.19'
const SUBJECT_KEY_IDENTIFIER = '2.5.29.14'
const USAGE_NAMES: Readonly<Record<string, string>> = { '1.3.6.1.5.5.7.3.1': 'serverAuth', '1.3.6.1.5.5.7.3.2': 'clientAuth' }

class Malformed extends Error {}

/** The length that the outermost SEQUENCE states with its header; undefined when it is no DER sequence. */
function statedBytes(der: Buffer): number | undefined {
  if (der.length < 2 || der[0] !== 0x30) return undefined
  const first = der[1]!
  if (first < 0x80) return 2 + first
  const octets = first & 0x7f
  return octets >= 1 && octets <= 3 && der.length >= 2 + octets ? 2 + octets + der.readUIntBE(2, octets) : undefined
}

function checkKey(key: KeyObject): 'EC' | 'RSA' {
  const details = key.asymmetricKeyDetails
  if (key.asymmetricKeyType === 'rsa') {
    const bits = details?.modulusLength ?? 0
    if (bits < RSA_BITS_MIN) throw new Malformed(`its RSA key has ${bits} bits, ${RSA_BITS_MIN} is the least`)
    if (bits > RSA_BITS_MAX) throw new Malformed(`its RSA key has ${bits} bits, ${RSA_BITS_MAX} is the most`)
    return 'RSA'
  }
  if (key.asymmetricKeyType === 'ec') {
    if (details?.namedCurve !== undefined && CURVES[details.namedCurve] !== undefined) return 'EC'
    throw new Malformed(`its key is on the curve ${printable(details?.namedCurve ?? 'of its own making')}, P-256 and P-384 are accepted`)
  }
  throw new Malformed(`its key is of the kind ${key.asymmetricKeyType ?? 'unknown'}, EC (P-256, P-384) and RSA are accepted`)
}

/** The same key has more than one encoding (compressed points, leading zeros): by its numbers it has one. */
function oneSpelling(key: KeyObject): Buffer {
  const numbers = createPublicKey({ key: key.export({ format: 'jwk' }), format: 'jwk' })
  return numbers.export({ type: 'spki', format: 'der' })
}

function checkText(what: string, text: string): string {
  if (text.length > VALUE_CHARACTERS) throw new Malformed(`${what} in it has ${text.length} characters, ${VALUE_CHARACTERS} is the limit`)
  if (printable(text) !== text) throw new Malformed(`${what} in it has control characters: "${printable(text)}"`)
  return text
}

function commonNamesOf(csr: x509.Pkcs10CertificateRequest): string[] {
  const names: string[] = []
  for (const part of csr.subjectName.toJSON()) {
    for (const [key, values] of Object.entries(part)) {
      const texts = (values as unknown[]).map((value) => (typeof value === 'string' ? value : String(Object.values(value as object)[0])))
      for (const text of texts) checkText(`the ${printable(key)} of the subject`, text)
      if (key === 'CN' || key === '2.5.4.3') names.push(...texts)
    }
  }
  return names
}

function asked(csr: x509.Pkcs10CertificateRequest): Asked {
  const extensions = csr.extensions
  const kinds = extensions.map(({ type }) => type)
  const others: string[] = []
  if (new Set(kinds).size !== kinds.length) throw new Malformed('it holds the same extension twice')
  const dnsNames: string[] = []
  const addresses: string[] = []
  const uris: string[] = []
  const usages: string[] = []
  let isAuthority = false
  for (const extension of extensions) {
    const raw = extension.rawData
    switch (extension.type) {
      case SUBJECT_ALTERNATIVE_NAME:
        for (const { type, value } of new x509.SubjectAlternativeNameExtension(raw).names.items) {
          const text = checkText('a subject alternative name', value)
          if (type === 'dns') dnsNames.push(text.toLowerCase())
          else if (type === 'ip') addresses.push(isIPv6(text) ? new SocketAddress({ address: text, family: 'ipv6' }).address : text)
          else if (type === 'url') uris.push(text)
          else others.push(`a subject alternative name of the kind ${type}`)
        }
        break
      case KEY_USAGE:
        if ((new x509.KeyUsagesExtension(raw).usages & ~x509.KeyUsageFlags.digitalSignature) !== 0) {
          others.push('a key usage besides digitalSignature')
        }
        break
      case EXTENDED_KEY_USAGE:
        usages.push(...new x509.ExtendedKeyUsageExtension(raw).usages.map((usage) => USAGE_NAMES[String(usage)] ?? String(usage)))
        break
      case BASIC_CONSTRAINTS:
        isAuthority ||= new x509.BasicConstraintsExtension(raw).ca
        break
      case SUBJECT_KEY_IDENTIFIER:
        break
      default:
        others.push(`the extension ${extension.type}`)
    }
  }
  return { commonNames: commonNamesOf(csr), dnsNames, addresses, uris, usages, isAuthority, others }
}

async function read(der: Buffer): Promise<SigningRequest> {
  if (der.length > CSR_LIMIT_BYTES) throw new Malformed(`it has ${der.length} bytes, ${CSR_LIMIT_BYTES} is the limit`)
  if (statedBytes(der) !== der.length) throw new Malformed('it is no PKCS#10 request in DER, or something stands behind it')
  const csr = new x509.Pkcs10CertificateRequest(der)
  // OpenSSL judges the key, and reads it before anything is computed with it.
  const key = createPublicKey({ key: Buffer.from(csr.publicKey.rawData), format: 'der', type: 'spki' })
  const keyKind = checkKey(key)
  const hash = csr.signatureAlgorithm.hash?.name ?? 'no hash'
  if (!HASHES.includes(hash)) throw new Malformed(`it is signed with ${printable(hash)}, ${HASHES.join(', ')} are accepted`)
  if (!(await csr.verify())) throw new Malformed('its signature is not by its key: nothing proves that the sender has the key')
  const publicKey = oneSpelling(key)
  return { publicKey, spki: createHash('sha256').update(publicKey).digest('hex'), keyKind, asks: asked(csr) }
}

/** Reads it, and checks key and signature. Whether it may ask for what it asks is `beyond`. */
export async function readSigningRequest(der: Buffer): Promise<SigningRequestResult> {
  try {
    return { kind: 'ok', request: await read(der) }
  } catch (error) {
    return { kind: 'malformed', reason: error instanceof Malformed ? error.message : 'it cannot be decoded' }
  }
}

/** The first thing that a request asks for and may not have, in words; undefined when there is none. */
export function beyond(asks: Asked, allowed: Allowed): string | undefined {
  const extra = (wanted: readonly string[], may: readonly string[], what: string): string | undefined => {
    const found = wanted.find((one) => !may.includes(one))
    return found === undefined ? undefined : `${what} "${printable(found)}"`
  }
  if (asks.isAuthority) return 'to be an authority itself'
  return (
    extra(
      asks.commonNames.map((name) => name.toLowerCase()),
      allowed.dnsNames,
      'the common name',
    ) ??
    extra(asks.dnsNames, allowed.dnsNames, 'the name') ??
    extra(asks.addresses, allowed.addresses, 'the address') ??
    extra(asks.uris, allowed.uris, 'the URI') ??
    extra(asks.usages, allowed.usages, 'the usage') ??
    asks.others[0]
  )
}
