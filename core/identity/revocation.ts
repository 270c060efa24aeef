import { createHash, type X509Certificate } from 'node:crypto'
import { LoghopError } from '../base/errors.ts'
import { dayOf } from '../transport/certificate.ts'
import type { RevocationCheck } from '../transport/tls-policy.ts'
import type { Authorities } from './authorities.ts'
import { isSignedBy, type RevocationList, readRevocationList } from './revocation-list.ts'

const BLOCK = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]*)-----END X509 CRL-----/g
const LISTS_LIMIT = 100
/** A chain that a peer presents; OpenSSL has bounded it before. */
const CHAIN_LIMIT = 10
/** How far clocks may be apart before anyone speaks of it. */
export const SKEW_MS = 300_000

/** The lists of a PEM text, DER. @throws {LoghopError} CRL: it holds none, or one that cannot be decoded */
export function readListsPem(text: string): RevocationList[] {
  const blocks = [...text.matchAll(BLOCK)]
  if (blocks.length === 0 || blocks.length !== (text.match(/-----BEGIN X509 CRL-----/g) ?? []).length) {
    throw new LoghopError('CRL', 'Cannot read revocation lists: there is no whole PEM block "X509 CRL"', 'Ask the authority for /crl.pem')
  }
  if (blocks.length > LISTS_LIMIT) {
    throw new LoghopError(
      'CRL',
      `Cannot read revocation lists: ${blocks.length} of them, at most ${LISTS_LIMIT} are taken`,
      'Keep those of live authorities',
    )
  }
  return blocks.map((block) => {
    try {
      return readRevocationList(Buffer.from(block[1]!, 'base64'))
    } catch (error) {
      const sentence = `Cannot read a revocation list: ${(error as Error).message}`
      throw new LoghopError('CRL', sentence, 'Make it as RFC 5280 section 5 says, complete and without critical extensions', {
        cause: error,
      })
    }
  })
}

/** PEM as OpenSSL reads it: a label without `X509` is none that it knows. */
export function listPem(der: Buffer): string {
  return `-----BEGIN X509 CRL-----\n${der.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END X509 CRL-----\n`
}

interface Believed {
  readonly list: RevocationList
  readonly signer: X509Certificate
}

export interface LateList {
  readonly issuer: string
  readonly sentence: string
}

/** The revocation lists in use: each signed by an authority that is known, the newest of each. Never changes; `with` makes the next one. */
export class Revocation {
  readonly #believed: ReadonlyMap<string, Believed>
  /** How many lists no known authority had signed. */
  readonly unknownCount: number
  /** When this certificate, or an authority in the chain it was presented with, was revoked; undefined when no list names it. */
  readonly check: RevocationCheck

  private constructor(believed: ReadonlyMap<string, Believed>, unknownCount: number) {
    this.#believed = believed
    this.unknownCount = unknownCount
    this.check = (certificate) => this.#revokedAt(certificate)
  }

  /** @throws {LoghopError} CRL when a list cannot be decoded */
  static from(pem: string | undefined, authorities: Authorities): Revocation {
    const none = new Revocation(new Map(), 0)
    return pem === undefined ? none : none.with(readListsPem(pem), authorities)
  }

  /** These lists and the ones in use, newest number first; what no authority among these has signed is left out. */
  with(lists: readonly RevocationList[], authorities: Authorities): Revocation {
    const { signers } = authorities
    const believed = new Map<string, Believed>()
    let unknown = 0
    const inUse = [...this.#believed.values()].map(({ list }) => list)
    for (const list of [...inUse, ...lists]) {
      const signer = signers.find((candidate) => isSignedBy(list, candidate))
      if (signer === undefined) {
        if (!inUse.includes(list)) unknown++
        continue
      }
      const key = createHash('sha256')
        .update(list.issuer)
        .update(signer.publicKey.export({ type: 'spki', format: 'der' }))
        .digest('hex')
      const before = believed.get(key)
      if (before === undefined || list.number >= before.list.number) believed.set(key, { list, signer })
    }
    return new Revocation(believed, unknown)
  }

  get count(): number {
    return this.#believed.size
  }

  /** As they are kept in crl.pem. */
  get pem(): string {
    return [...this.#believed.values()].map(({ list }) => listPem(list.der)).join('')
  }

  /** When the oldest of the lists was made; undefined without any. */
  get oldestMs(): number | undefined {
    const made = [...this.#believed.values()].map(({ list }) => list.thisUpdateMs)
    return made.length === 0 ? undefined : Math.min(...made)
  }

  get revokedCount(): number {
    let count = 0
    for (const { list } of this.#believed.values()) count += list.serials.size
    return count
  }

  /** Whether `before` names every certificate that these name. */
  isCoveredBy(before: Revocation): boolean {
    return [...this.#believed].every(([key, { list }]) => {
      const serials = before.#believed.get(key)?.list.serials
      if (serials === list.serials) return true
      for (const serial of list.serials.keys()) if (serials?.has(serial) !== true) return false
      return true
    })
  }

  /** Lists past their next update, or from the future, by more than clocks may differ. They stay in use. */
  late(nowMs: number): LateList[] {
    return [...this.#believed.values()].flatMap(({ list, signer }) => {
      const issuer = signer.subject.replaceAll('\n', ', ')
      const { nextUpdateMs, thisUpdateMs } = list
      if (nextUpdateMs !== undefined && nowMs > nextUpdateMs + SKEW_MS) {
        return [{ issuer, sentence: `the revocation list of ${issuer} was to be replaced by ${dayOf(new Date(nextUpdateMs))}` }]
      }
      if (nowMs < thisUpdateMs - SKEW_MS) {
        return [
          {
            issuer,
            sentence: `the revocation list of ${issuer} was made at ${dayOf(new Date(thisUpdateMs))}, in the future of this host's clock`,
          },
        ]
      }
      return []
    })
  }

  #revokedAt(certificate: X509Certificate): Date | undefined {
    let current: X509Certificate | undefined = certificate
    for (let depth = 0; current !== undefined && depth < CHAIN_LIMIT; depth++) {
      for (const { list, signer } of this.#believed.values()) {
        const atMs = list.serials.get(current.serialNumber)
        // The serial is the authority's own count: another one may have given the same.
        if (atMs !== undefined && current.checkIssued(signer) && current.verify(signer.publicKey)) return new Date(atMs)
      }
      current = current.issuerCertificate
    }
    return undefined
  }
}
