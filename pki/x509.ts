import 'reflect-metadata'
import { createPrivateKey, type webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

/** The one place that writes certificates. It never decides trust: that is OpenSSL's job, in the daemons. */
export interface KeyPair {
  readonly keys: webcrypto.CryptoKeyPair
  /** PKCS#8. */
  readonly pem: string
}

/** An authority ready to sign: its certificate and the key to it. */
export interface Signer {
  readonly certificatePem: string
  readonly keyPem: string
}

/** A key of this process, or a SubjectPublicKeyInfo in DER. */
export type PublicKey = webcrypto.CryptoKey | Buffer

export interface Validity {
  readonly notBefore: Date
  readonly notAfter: Date
}

export interface AuthorityRequest extends Validity {
  readonly name: string
  readonly publicKey: PublicKey
  /** How many authorities may stand between this one and a leaf. */
  readonly pathLength: number
}

export interface LeafRequest extends Validity {
  readonly commonName: string | undefined
  readonly publicKey: PublicKey
  readonly dnsNames: readonly string[]
  readonly addresses: readonly string[]
  readonly uris: readonly string[]
  readonly usages: readonly ('clientAuth' | 'serverAuth')[]
  /** URL of the revocation list. */
  readonly distributionPoint?: string | undefined
}

export const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const SERIAL_OCTETS = 20

/** A new EC P-256 key pair. */
export async function generateKey(): Promise<KeyPair> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey))
  const pem = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' })
  return { keys, pem: pem.toString() }
}

/** RFC 5280 section 4.1.2.2: positive, at most 20 octets. The second-highest bit is set, so that it always has 20 and never needs a leading zero. */
function randomSerial(): string {
  const octets = crypto.getRandomValues(new Uint8Array(SERIAL_OCTETS))
  octets[0] = (octets[0]! & 0x7f) | 0x40
  return Buffer.from(octets).toString('hex')
}

// utf8String by name: a bare string is parsed by the library, which gives '#' a meaning.
function nameOf(commonName: string | undefined): x509.Name {
  return new x509.Name(commonName === undefined ? [] : [{ CN: [{ utf8String: commonName }] }])
}

function publicKeyOf(key: PublicKey): x509.PublicKeyType {
  return Buffer.isBuffer(key) ? new x509.PublicKey(key) : key
}

/** For signing certificates and revocation lists by an authority's key, which is EC P-256. */
export function signingKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' })
  return crypto.subtle.importKey('pkcs8', new Uint8Array(der), ALGORITHM, false, ['sign'])
}

async function authorityExtensions(request: AuthorityRequest): Promise<x509.Extension[]> {
  return [
    new x509.BasicConstraintsExtension(true, request.pathLength, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(publicKeyOf(request.publicKey)),
  ]
}

function pemOf(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem').trim()}\n`
}

/** A self-signed root. @returns PEM */
export async function signRoot(request: AuthorityRequest, own: KeyPair): Promise<string> {
  const root = await x509.X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: nameOf(request.name),
    issuer: nameOf(request.name),
    notBefore: request.notBefore,
    notAfter: request.notAfter,
    publicKey: publicKeyOf(request.publicKey),
    signingKey: own.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      ...(await authorityExtensions(request)),
      await x509.AuthorityKeyIdentifierExtension.create(publicKeyOf(request.publicKey)),
    ],
  })
  return pemOf(root)
}

async function signBelow(
  signer: Signer,
  subject: x509.Name,
  request: Validity & { readonly publicKey: PublicKey },
  extensions: x509.Extension[],
): Promise<string> {
  const issuer = new x509.X509Certificate(signer.certificatePem)
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject,
    issuer: issuer.subjectName,
    notBefore: request.notBefore,
    notAfter: request.notAfter,
    publicKey: publicKeyOf(request.publicKey),
    signingKey: await signingKey(signer.keyPem),
    signingAlgorithm: ALGORITHM,
    extensions: [...extensions, await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey)],
  })
  return pemOf(certificate)
}

/** An authority below another one. @returns PEM */
export async function signAuthority(request: AuthorityRequest, signer: Signer): Promise<string> {
  return signBelow(signer, nameOf(request.name), request, await authorityExtensions(request))
}

/** A certificate for a host; it says exactly what the request says. @returns PEM */
export async function signLeaf(request: LeafRequest, signer: Signer): Promise<string> {
  const names: x509.JsonGeneralNames = [
    ...request.dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...request.addresses.map((value) => ({ type: 'ip' as const, value })),
    ...request.uris.map((value) => ({ type: 'url' as const, value })),
  ]
  const extensions = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    ...(request.usages.length > 0 ? [new x509.ExtendedKeyUsageExtension(request.usages.map((usage) => x509.ExtendedKeyUsage[usage]))] : []),
    await x509.SubjectKeyIdentifierExtension.create(publicKeyOf(request.publicKey)),
    // RFC 5280 section 4.1.2.6: critical when the subject is empty.
    ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names, request.commonName === undefined)] : []),
    ...(request.distributionPoint === undefined ? [] : [new x509.CRLDistributionPointsExtension([request.distributionPoint])]),
  ]
  return signBelow(signer, nameOf(request.commonName), request, extensions)
}
