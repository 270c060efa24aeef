import forge from 'node-forge'

const { asn1 } = forge
const { UNIVERSAL, CONTEXT_SPECIFIC } = asn1.Class
const SIGNED_DATA = '1.2.840.113549.1.7.2'
const DATA = '1.2.840.113549.1.7.1'
// X.690 section 8.1.2.5: set in the identifier of a value that is made of values.
const CONSTRUCTED = 0x20

type Part = ReturnType<typeof asn1.create>

function sequence(...parts: readonly Part[]): Part {
  return asn1.create(UNIVERSAL, asn1.Type.SEQUENCE, true, parts)
}

function emptySet(): Part {
  return asn1.create(UNIVERSAL, asn1.Type.SET, true, [])
}

function oid(text: string): Part {
  return asn1.create(UNIVERSAL, asn1.Type.OID, false, asn1.oidToDer(text).getBytes())
}

/**
 * A certs-only SignedData: the container in which EST hands out certificates. They stand in it octet for octet, in this order; nothing is signed.
 * @param certificates DER, our own
 * @returns DER of the ContentInfo
 * @see RFC 5652 section 5.1, RFC 7030 section 4.1.3
 */
export function certsOnly(certificates: readonly Buffer[]): Buffer {
  const version = asn1.create(UNIVERSAL, asn1.Type.INTEGER, false, '\u0001')
  // Its contents are finished DER, so it is written as if it were primitive, with the bit of a constructed one.
  const set = asn1.create(CONTEXT_SPECIFIC, CONSTRUCTED, false, Buffer.concat(certificates).toString('latin1'))
  const signedData = sequence(version, emptySet(), sequence(oid(DATA)), set, emptySet())
  const content = sequence(oid(SIGNED_DATA), asn1.create(CONTEXT_SPECIFIC, 0, true, [signedData]))
  return Buffer.from(asn1.toDer(content).getBytes(), 'latin1')
}
