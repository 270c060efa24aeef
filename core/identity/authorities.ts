import type { X509Certificate } from 'node:crypto'
import { chainLeadsTo, isSelfSigned } from './chain.ts'

/**
 * The authorities that an identity knows: the roots of ca.pem, which are believed, and intermediates from there or from a chain, which count when they lead
 * to such a root.
 */
export class Authorities {
  readonly roots: readonly X509Certificate[]
  readonly #others: readonly X509Certificate[]

  /** @param trusted certificates of ca.pem. @param also intermediates from elsewhere */
  constructor(trusted: readonly X509Certificate[], also: readonly X509Certificate[] = []) {
    this.roots = trusted.filter(isSelfSigned)
    this.#others = [...trusted.filter((certificate) => !isSelfSigned(certificate)), ...also.filter((certificate) => certificate.ca)]
  }

  /** Whether a certificate leads to a root; dates, usage and revocation are not looked at. A self-signed leaf stands for itself: its peers pin it. */
  vouchFor(leaf: X509Certificate): boolean {
    return chainLeadsTo([leaf, ...this.#others], this.roots)
  }

  /** Those that may sign revocation lists: the roots, and every intermediate that leads to one. */
  get signers(): readonly X509Certificate[] {
    return [...this.roots, ...this.#others.filter((one) => !isSelfSigned(one) && this.vouchFor(one))]
  }
}
