import { createCipheriv, createHash, createHmac, type KeyObject, pbkdf2Sync, randomBytes, type X509Certificate } from 'node:crypto'
import forge from 'node-forge'

// PKCS#12 version 1.1, RFC 7292; PBES2 and PBKDF2 from RFC 8018. node-forge writes the DER; its own PKCS#12 takes RSA keys alone and makes SHA-1 MACs.

const { asn1 } = forge
const { UNIVERSAL, CONTEXT_SPECIFIC } = asn1.Class

const OID = {
  data: '1.2.840.113549.1.7.1',
  encryptedData: '1.2.840.113549.1.7.6',
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  hmacSha256: '1.2.840.113549.2.9',
  aes256Cbc: '2.16.840.1.101.3.4.1.42',
  sha256: '2.16.840.1.101.3.4.2.1',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certBag: '1.2.840.113549.1.12.10.1.3',
  x509Certificate: '1.2.840.113549.1.9.22.1',
  friendlyName: '1.2.840.113549.1.9.20',
  localKeyId: '1.2.840.113549.1.9.21',
  // Of Oracle's, not in any RFC: without it keytool shows a certificate that belongs to no key to nobody.
  trustedKeyUsage: '2.16.840.1.113894.746875.1.1',
  anyExtendedKeyUsage: '2.5.29.37.0',
} as const

// Ours: high enough to make guessing slow, and three of them (MAC, key, certificates) below the 600,000 in all that some readers stop at.
const ITERATIONS = 150_000
const SALT_BYTES = 16
const IV_BYTES = 16
const KEY_BYTES = 32
// RFC 7292 appendix B.2 for SHA-256: octets of a block and of the digest, and the purpose "MAC key".
const BLOCK_BYTES = 64
const MAC_KEY_PURPOSE = 3

type Part = ReturnType<typeof asn1.create>

function sequence(...parts: readonly Part[]): Part {
  return asn1.create(UNIVERSAL, asn1.Type.SEQUENCE, true, parts)
}

function oid(text: string): Part {
  return asn1.create(UNIVERSAL, asn1.Type.OID, false, asn1.oidToDer(text).getBytes())
}

function integer(value: number): Part {
  return asn1.create(UNIVERSAL, asn1.Type.INTEGER, false, asn1.integerToDer(value).getBytes())
}

function octets(bytes: Buffer): Part {
  return asn1.create(UNIVERSAL, asn1.Type.OCTETSTRING, false, bytes.toString('latin1'))
}

function nothing(): Part {
  return asn1.create(UNIVERSAL, asn1.Type.NULL, false, '')
}

/** `[0] EXPLICIT`. */
function tagged(part: Part): Part {
  return asn1.create(CONTEXT_SPECIFIC, 0, true, [part])
}

function derOf(part: Part): Buffer {
  return Buffer.from(asn1.toDer(part).getBytes(), 'latin1')
}

/** X.690 section 11.6: the parts of a SET OF stand in the order of their encodings. */
function setOf(...parts: readonly Part[]): Part {
  const sorted = [...parts].sort((left, right) => Buffer.compare(derOf(left), derOf(right)))
  return asn1.create(UNIVERSAL, asn1.Type.SET, true, sorted)
}

function friendlyName(name: string): Part {
  // toDer() itself makes the two octets of each character.
  return sequence(oid(OID.friendlyName), setOf(asn1.create(UNIVERSAL, asn1.Type.BMPSTRING, false, name)))
}

/** @returns the AlgorithmIdentifier, and what it makes of `plain` */
function encrypt(plain: Buffer, passphrase: string): { algorithm: Part; encrypted: Buffer } {
  const salt = randomBytes(SALT_BYTES)
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv('aes-256-cbc', pbkdf2Sync(passphrase, salt, ITERATIONS, KEY_BYTES, 'sha256'), iv)
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()])
  const derivation = sequence(oid(OID.pbkdf2), sequence(octets(salt), integer(ITERATIONS), sequence(oid(OID.hmacSha256), nothing())))
  return { algorithm: sequence(oid(OID.pbes2), sequence(derivation, sequence(oid(OID.aes256Cbc), octets(iv)))), encrypted }
}

function certificateBag(certificate: X509Certificate, attributes: readonly Part[]): Part {
  const value = sequence(oid(OID.x509Certificate), tagged(octets(certificate.raw)))
  return sequence(oid(OID.certBag), tagged(value), ...(attributes.length > 0 ? [setOf(...attributes)] : []))
}

function keyBag(key: KeyObject, passphrase: string, attributes: readonly Part[]): Part {
  const { algorithm, encrypted } = encrypt(key.export({ type: 'pkcs8', format: 'der' }), passphrase)
  return sequence(oid(OID.shroudedKeyBag), tagged(sequence(algorithm, octets(encrypted))), setOf(...attributes))
}

function encryptedContent(bags: readonly Part[], passphrase: string): Part {
  const { algorithm, encrypted } = encrypt(derOf(sequence(...bags)), passphrase)
  // [0] IMPLICIT OCTET STRING.
  const content = asn1.create(CONTEXT_SPECIFIC, 0, false, encrypted.toString('latin1'))
  return sequence(oid(OID.encryptedData), tagged(sequence(integer(0), sequence(oid(OID.data), algorithm, content))))
}

function plainContent(bytes: Buffer): Part {
  return sequence(oid(OID.data), tagged(octets(bytes)))
}

function repeatedToBlocks(bytes: Buffer): Buffer {
  return Buffer.alloc(Math.ceil(bytes.length / BLOCK_BYTES) * BLOCK_BYTES, bytes)
}

/** RFC 7292 appendix B.2 for a key as long as the digest, which takes one round of its outer loop. */
function macKey(passphrase: string, salt: Buffer): Buffer {
  // A BMPString with a final NUL: UTF-16, high octet first.
  const password = Buffer.from(`${passphrase}\0`, 'utf16le').swap16()
  const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest()
  let key = sha256(Buffer.concat([Buffer.alloc(BLOCK_BYTES, MAC_KEY_PURPOSE), repeatedToBlocks(salt), repeatedToBlocks(password)]))
  for (let round = 1; round < ITERATIONS; round++) key = sha256(key)
  return key
}

function mac(content: Buffer, passphrase: string): Part {
  const salt = randomBytes(SALT_BYTES)
  const digest = createHmac('sha256', macKey(passphrase, salt)).update(content).digest()
  return sequence(sequence(sequence(oid(OID.sha256), nothing()), octets(digest)), octets(salt), integer(ITERATIONS))
}

export interface Pkcs12Contents {
  /** Of key and leaf, where a program lists them. */
  readonly name: string
  readonly key: KeyObject
  /** Leaf first, then what leads to a root. */
  readonly chain: readonly [X509Certificate, ...X509Certificate[]]
  /** Authorities to trust, each with a name of its own. */
  readonly roots: readonly { readonly name: string; readonly certificate: X509Certificate }[]
}

/**
 * A PKCS#12 file: PBES2 (PBKDF2 with HMAC-SHA-256, AES-256-CBC) for key and certificates, and an HMAC-SHA-256 over it all. The key and its leaf carry
 * the same localKeyId, by which readers join them.
 * @param passphrase printable ASCII: readers differ on everything else
 * @returns DER; takes about half a second, on purpose
 */
export function pkcs12({ name, key, chain, roots }: Pkcs12Contents, passphrase: string): Buffer {
  const [leaf, ...others] = chain
  const localKeyId = createHash('sha256').update(leaf.raw).digest()
  const ofKey = [friendlyName(name), sequence(oid(OID.localKeyId), setOf(octets(localKeyId)))]
  const trusted = sequence(oid(OID.trustedKeyUsage), setOf(oid(OID.anyExtendedKeyUsage)))
  const certificates = [
    certificateBag(leaf, ofKey),
    ...others.map((certificate) => certificateBag(certificate, [])),
    ...roots.map((root) => certificateBag(root.certificate, [friendlyName(root.name), trusted])),
  ]
  const safes = derOf(sequence(encryptedContent(certificates, passphrase), plainContent(derOf(sequence(keyBag(key, passphrase, ofKey))))))
  return derOf(sequence(integer(3), plainContent(safes), mac(safes, passphrase)))
}
