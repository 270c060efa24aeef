// What stands in EST's bodies: DER in base64, and the attributes that the authority asks for.

// RFC 8951 section 3.1 wants receivers to bear white space anywhere, and line breaks above all (openssl writes them).
const WHITE_SPACE = /[ \t\r\n]+/g
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** @returns the octets; undefined for text that is empty or no base64 (RFC 4648 section 4, padded) */
export function decodeBody(text: string): Buffer | undefined {
  const compact = text.replace(WHITE_SPACE, '')
  return compact !== '' && BASE64.test(compact) ? Buffer.from(compact, 'base64') : undefined
}

/** One line without its end: strongSwan's decoder skips no white space. */
export function encodeBody(der: Buffer): Buffer {
  return Buffer.from(der.toString('base64'), 'latin1')
}

/**
 * CsrAttrs, DER: a key on P-256 (attribute id-ecPublicKey with value prime256v1), and a CSR signed with ecdsa-with-SHA256.
 * A client that cannot may still send what the authority accepts.
 * @see RFC 7030 section 4.5.2
 */
export const CSR_ATTRIBUTES = Buffer.from(
  // SEQUENCE { SEQUENCE { OID 1.2.840.10045.2.1, SET { OID 1.2.840.10045.3.1.7 } }, OID 1.2.840.10045.4.3.2 }
  '3021301506072a8648ce3d0201310a06082a8648ce3d03010706082a8648ce3d040302',
  'hex',
)
