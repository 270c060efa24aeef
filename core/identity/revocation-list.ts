import { type KeyObject, verify, type X509Certificate } from 'node:crypto'
import { DerChildren, DerError, type DerValue, integerValue, oidText, serialText, TAG, timeMs, wholeDer } from './der.ts'

// RFC 5280 sections 5.2 and 5.3; a critical extension that is not known makes a list unusable, so these are the ones that may be.
const CRL_NUMBER = '2.5.29.20'
const DELTA_INDICATOR = '2.5.29.27'
const BOOLEAN = 0x01
/** Ours: 64 MiB of list hold about 1.5 million entries. */
const ENTRIES_LIMIT = 2_000_000

const DIGESTS: Readonly<Record<string, string | null>> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.3.101.112': null,
}

/** What a revocation list says. Whether to believe it: `isSignedBy`. */
export interface RevocationList {
  readonly der: Buffer
  /** The name of who made it, DER. */
  readonly issuer: Buffer
  /** 0 for a list without one. */
  readonly number: bigint
  readonly thisUpdateMs: number
  /** Undefined where it makes no promise. */
  readonly nextUpdateMs: number | undefined
  /** Serial, as X509Certificate spells it, to the time of its revocation in ms. */
  readonly serials: ReadonlyMap<string, number>
  readonly signed: Buffer
  readonly algorithm: string
  readonly signature: Buffer
}

function readEntries(bytes: Buffer, list: DerValue): Map<string, number> {
  const serials = new Map<string, number>()
  for (const entries = new DerChildren(bytes, list); !entries.isAtEnd; ) {
    const entry = new DerChildren(bytes, entries.next(TAG.sequence))
    const serial = serialText(bytes, entry.next(TAG.integer))
    serials.set(serial, timeMs(bytes, entry.next(TAG.utcTime, TAG.generalizedTime)))
    if (!entry.isAtEnd) readExtensions(bytes, entry.next(TAG.sequence), new Set())
    if (serials.size > ENTRIES_LIMIT) throw new DerError(`over ${ENTRIES_LIMIT} entries`)
  }
  return serials
}

/** Values by OID. @throws {DerError} a critical one that is not among `known` */
function readExtensions(bytes: Buffer, sequence: DerValue, known: ReadonlySet<string>): Map<string, DerValue> {
  const found = new Map<string, DerValue>()
  for (const extensions = new DerChildren(bytes, sequence); !extensions.isAtEnd; ) {
    const extension = new DerChildren(bytes, extensions.next(TAG.sequence))
    const oid = oidText(bytes, extension.next(TAG.objectIdentifier))
    const critical = extension.optional(BOOLEAN)
    if (critical !== undefined && bytes[critical.start] !== 0 && !known.has(oid))
      throw new DerError(`the critical extension ${oid} is not known`)
    found.set(oid, extension.next(TAG.octetString))
  }
  return found
}

function readNumber(bytes: Buffer, extensions: ReadonlyMap<string, DerValue>): bigint {
  if (extensions.has(DELTA_INDICATOR)) throw new DerError('it is a delta, a complete list is needed')
  const value = extensions.get(CRL_NUMBER)
  return value === undefined ? 0n : integerValue(bytes, new DerChildren(bytes, value).next(TAG.integer))
}

/**
 * Reads one list, DER.
 * @throws {DerError} it is none, a delta, or has a critical extension that is not known (one that lists but some of what was revoked, for instance)
 * @see RFC 5280 section 5.1
 */
export function readRevocationList(bytes: Buffer): RevocationList {
  const outer = new DerChildren(bytes, wholeDer(bytes, TAG.sequence))
  const body = outer.next(TAG.sequence)
  const algorithm = oidText(bytes, new DerChildren(bytes, outer.next(TAG.sequence)).next(TAG.objectIdentifier))
  const signature = outer.next(TAG.bitString)
  if (!outer.isAtEnd || bytes[signature.start] !== 0) throw new DerError('its signature cannot be read')
  const fields = new DerChildren(bytes, body)
  fields.optional(TAG.integer)
  const inner = oidText(bytes, new DerChildren(bytes, fields.next(TAG.sequence)).next(TAG.objectIdentifier))
  if (inner !== algorithm) throw new DerError('it names two signature algorithms')
  const issuer = fields.next(TAG.sequence)
  const thisUpdateMs = timeMs(bytes, fields.next(TAG.utcTime, TAG.generalizedTime))
  const hasNext = fields.tag === TAG.utcTime || fields.tag === TAG.generalizedTime
  const nextUpdateMs = hasNext ? timeMs(bytes, fields.next()) : undefined
  const entries = fields.optional(TAG.sequence)
  const serials = entries === undefined ? new Map<string, number>() : readEntries(bytes, entries)
  const wrapped = fields.optional(TAG.context0)
  const sequence = wrapped === undefined ? undefined : new DerChildren(bytes, wrapped).next(TAG.sequence)
  const extensions = sequence === undefined ? new Map<string, DerValue>() : readExtensions(bytes, sequence, new Set([CRL_NUMBER]))
  return {
    der: bytes,
    issuer: bytes.subarray(issuer.from, issuer.end),
    number: readNumber(bytes, extensions),
    thisUpdateMs,
    nextUpdateMs,
    serials,
    signed: bytes.subarray(body.from, body.end),
    algorithm,
    signature: bytes.subarray(signature.start + 1, signature.end),
  }
}

/** The name of a certificate's holder, DER. */
export function subjectOf(certificate: X509Certificate): Buffer {
  const bytes = certificate.raw
  const fields = new DerChildren(bytes, new DerChildren(bytes, wholeDer(bytes, TAG.sequence)).next(TAG.sequence))
  fields.optional(TAG.context0)
  fields.next(TAG.integer)
  for (let skipped = 0; skipped < 3; skipped++) fields.next(TAG.sequence)
  const subject = fields.next(TAG.sequence)
  return bytes.subarray(subject.from, subject.end)
}

function verifies(list: RevocationList, key: KeyObject): boolean {
  const digest = DIGESTS[list.algorithm]
  try {
    return digest !== undefined && verify(digest, list.signed, key, list.signature)
  } catch {
    return false
  }
}

/** Whether this authority, by name and key, made the list. Which algorithm: ECDSA, RSA (PKCS#1) with SHA-2, Ed25519. */
export function isSignedBy(list: RevocationList, authority: X509Certificate): boolean {
  return authority.ca && subjectOf(authority).equals(list.issuer) && verifies(list, authority.publicKey)
}
