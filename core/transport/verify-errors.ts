import type { AdmissionCheck } from './admission.ts'

/** What OpenSSL's verdict on a chain means to a person. */
export interface VerifyFault {
  readonly check: AdmissionCheck
  readonly found: string
  readonly remedy: string
}

const REISSUE = 'Issue a new certificate with "loghop pki issue" and install it on that host'
const BUNDLE =
  'Use one certificate authority on both sides: its root belongs in ca.pem here, its intermediates in cert.pem there; or list the pin'

/** Errors that say only "nobody we know vouches for it": the ones for which a listed pin may stand in. */
export const CHAIN_ERRORS: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

const FAULTS: Readonly<Record<string, VerifyFault>> = {
  CERT_HAS_EXPIRED: { check: 'expired', found: 'it, or an authority above it, has expired', remedy: REISSUE },
  CERT_NOT_YET_VALID: {
    check: 'not-yet-valid',
    found: 'it, or an authority above it, is not valid yet',
    remedy: 'Compare the clocks of both hosts; if they agree, issue a new certificate',
  },
  CERT_REVOKED: { check: 'revoked', found: 'it, or an authority above it, is revoked', remedy: REISSUE },
  INVALID_PURPOSE: {
    check: 'purpose',
    found: 'its extended key usage does not allow this use',
    remedy: 'Issue it for the right role: "loghop pki issue NAME --role agent" to send, "--role relay" to listen and to forward',
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: { check: 'untrusted', found: 'it is self-signed', remedy: BUNDLE },
  SELF_SIGNED_CERT_IN_CHAIN: { check: 'untrusted', found: 'its root is not one of those in ca.pem', remedy: BUNDLE },
  UNABLE_TO_GET_ISSUER_CERT: { check: 'untrusted', found: 'its issuer is not known here', remedy: BUNDLE },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: { check: 'untrusted', found: 'its issuer is not known here', remedy: BUNDLE },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: { check: 'untrusted', found: 'its issuer is not known here', remedy: BUNDLE },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    check: 'name',
    found: 'it does not carry the name that was dialled',
    remedy: 'Dial a name the certificate carries, or issue one with that name',
  },
}

/** Total: a code not in the table, or none, is `untrusted`. */
export function verifyFault(code: string | undefined): VerifyFault {
  const known = code !== undefined && Object.hasOwn(FAULTS, code) ? FAULTS[code] : undefined
  return known ?? { check: 'untrusted', found: `verification failed (${code ?? 'no reason given'})`, remedy: BUNDLE }
}
