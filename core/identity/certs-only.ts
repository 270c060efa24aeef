import { X509Certificate } from 'node:crypto'
import { DerChildren, DerError, oidText, TAG, wholeDer } from './der.ts'

const SIGNED_DATA = '1.2.840.113549.1.7.2'
const CERTIFICATES_LIMIT = 100

/**
 * The certificates of a certs-only PKCS#7 (SignedData without content and signers), in its order. What EST answers with; nothing in it is signed, so trust
 * comes from the connection that it came by, and from the chain that is checked afterwards.
 * @throws {DerError} it is no such thing, a certificate in it cannot be decoded, or there are over a hundred
 * @see RFC 7030 section 4.1.3, RFC 5272 section 4.1
 */
export function readCertsOnly(bytes: Uint8Array): X509Certificate[] {
  const outer = new DerChildren(bytes, wholeDer(bytes, TAG.sequence))
  const type = oidText(bytes, outer.next(TAG.objectIdentifier))
  if (type !== SIGNED_DATA) throw new DerError(`content of the type ${type}, wanted SignedData`)
  const content = new DerChildren(bytes, outer.next(TAG.context0))
  const signed = new DerChildren(bytes, content.next(TAG.sequence))
  signed.next(TAG.integer)
  signed.next(TAG.set)
  signed.next(TAG.sequence)
  const certificates: X509Certificate[] = []
  const field = signed.optional(TAG.context0)
  if (field === undefined) return certificates
  for (const children = new DerChildren(bytes, field); !children.isAtEnd; ) {
    const { from, end } = children.next(TAG.sequence)
    if (certificates.length >= CERTIFICATES_LIMIT) throw new DerError(`over ${CERTIFICATES_LIMIT} certificates`)
    try {
      certificates.push(new X509Certificate(bytes.subarray(from, end)))
    } catch {
      throw new DerError('a certificate in it cannot be decoded')
    }
  }
  return certificates
}
