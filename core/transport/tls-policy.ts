import { constants, type X509Certificate } from 'node:crypto'
import type { ConnectionOptions, TlsOptions } from 'node:tls'

/** When a certificate was revoked; undefined when nothing is known against it. It is asked with the chain that the peer presented (`issuerCertificate`). */
export type RevocationCheck = (certificate: X509Certificate) => Date | undefined

/** For who has no lists. */
export const NONE_REVOKED: RevocationCheck = () => undefined

/** An identity as TLS needs it, in PEM. */
export interface TlsIdentity {
  readonly key: string
  /** Leaf first, then intermediates. */
  readonly cert: string
  /** The trusted roots; never merged with the system's. */
  readonly ca: string
  readonly revoked: RevocationCheck
}

type PolicyKeys =
  | 'key'
  | 'cert'
  | 'ca'
  | 'minVersion'
  | 'maxVersion'
  | 'ciphers'
  | 'honorCipherOrder'
  | 'ecdhCurve'
  | 'secureOptions'
  | 'requestCert'
  | 'rejectUnauthorized'

// TLS 1.3, and for peers that cannot: 1.2 with forward secrecy and AEAD alone, the suite of RFC 9662 section 4 among them.
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/**
 * What both sides of every connection share. No tickets and no sessions: a resumed session skips the check of the name, and would
 * outlive a revocation. Revocation lists are not given to OpenSSL: it refuses everybody when one is late or missing; `admission.ts` asks `revoked`. Node has no early data (RFC 9662 section 6 forbids it).
 */
export function tlsPolicy(identity: TlsIdentity): Pick<TlsOptions & ConnectionOptions, PolicyKeys> {
  return {
    key: identity.key,
    cert: identity.cert,
    ca: identity.ca,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ciphers: CIPHERS,
    honorCipherOrder: true,
    ecdhCurve: 'X25519MLKEM768:X25519:P-256:P-384',
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    // Both sides check the result in admission.ts, in one function, before a byte is read; see there why not here.
    requestCert: true,
    rejectUnauthorized: false,
  }
}
