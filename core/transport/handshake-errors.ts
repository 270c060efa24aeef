// Why a TLS handshake failed, in words, and what to do. The codes are Node's, made from OpenSSL's reasons.

export interface HandshakeFault {
  /** Completes "TLS handshake failed: ". */
  readonly found: string
  readonly remedy: string
}

const NEEDED = 'It needs TLS 1.2 or newer and a client certificate'
const CIPHERS =
  'Allow it TLS 1.3, or one of ECDHE-RSA-AES128-GCM-SHA256, ECDHE-ECDSA-AES128-GCM-SHA256 and their AES256 and CHACHA20 relatives; with an ECDSA certificate here, it needs an ECDSA one'
const THEIR_TRUST = 'Install the root of our authority (ca.pem here) where it keeps the authorities it trusts'
const THEIR_NAME = 'Let it expect the name that our certificate carries ("loghop identity show" prints it), or trust our authority'

const FAULTS: Readonly<Record<string, HandshakeFault>> = {
  ERR_SSL_NO_SHARED_CIPHER: { found: 'none of its ciphers is one of ours', remedy: CIPHERS },
  ERR_SSL_NO_SHARED_GROUP: { found: 'none of its key exchange groups is one of ours', remedy: 'Allow it X25519, P-256 or P-384' },
  ERR_SSL_NO_SUITABLE_GROUPS: { found: 'none of its key exchange groups is one of ours', remedy: 'Allow it X25519, P-256 or P-384' },
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: { found: 'it knows no signature that our key can make', remedy: CIPHERS },
  ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS: { found: 'it knows no signature that our key can make', remedy: CIPHERS },
  ERR_SSL_UNSUPPORTED_PROTOCOL: { found: 'it speaks no version newer than TLS 1.1', remedy: NEEDED },
  ERR_SSL_VERSION_TOO_LOW: { found: 'it speaks no version newer than TLS 1.1', remedy: NEEDED },
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: { found: 'it speaks no version of TLS that we do', remedy: NEEDED },
  ERR_SSL_WRONG_VERSION_NUMBER: { found: 'what it sent is no TLS', remedy: NEEDED },
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: { found: 'it does not know the authority of our certificate', remedy: THEIR_TRUST },
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: { found: 'it does not accept our certificate', remedy: THEIR_NAME },
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: { found: 'it does not accept our certificate', remedy: THEIR_NAME },
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: {
    found: 'it cannot use a certificate such as ours',
    remedy: 'Issue this relay an RSA certificate',
  },
  ERR_SSL_TLSV1_ALERT_ACCESS_DENIED: { found: 'it does not want to talk to us', remedy: 'Look into its log' },
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: {
    found: 'it says that our certificate has expired',
    remedy: 'Compare the clocks of both hosts; renew our certificate',
  },
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: { found: 'it says that our certificate is revoked', remedy: 'Issue this relay a new identity' },
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: { found: 'it found nothing in common with us', remedy: CIPHERS },
  ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR: {
    found: 'it could not verify our signature',
    remedy: 'Look whether key.pem here belongs to cert.pem, and whether something stands between both hosts',
  },
  ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC: {
    found: 'what it sent was changed on the way',
    remedy: 'Look for what stands between both hosts',
  },
  ERR_SSL_EXCESSIVE_MESSAGE_SIZE: {
    found: 'its certificate chain is too large',
    remedy: 'Let it send its own certificate and the intermediates alone',
  },
  ERR_TLS_HANDSHAKE_TIMEOUT: {
    found: 'it did not finish in time',
    remedy: 'Look whether its host is overloaded or the network loses packets; a scanner does this too',
  },
  ECONNRESET: {
    found: 'it closed the connection before the end',
    remedy: `A port scan or a health check does this; if it is a sender, its log says why. ${NEEDED}`,
  },
  EPIPE: {
    found: 'it closed the connection before the end',
    remedy: `A port scan or a health check does this; if it is a sender, its log says why. ${NEEDED}`,
  },
}

/** Total: of a code that is not in the table the error's own text is told. */
export function handshakeFault(error: Error & { readonly code?: string }): HandshakeFault {
  const known = error.code !== undefined && Object.hasOwn(FAULTS, error.code) ? FAULTS[error.code] : undefined
  // OpenSSL puts process, code and source line around its reason.
  const reason = /^[0-9A-F]+:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):/.exec(error.message)?.[1] ?? error.message
  return known ?? { found: reason.replaceAll('\n', ' ').trim(), remedy: NEEDED }
}
