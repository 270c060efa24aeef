import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { errnoOf, LoghopError } from '../base/errors.ts'
import { printable } from '../base/printable.ts'
import { type CertificateFacts, certificateFacts, type Role } from '../transport/certificate.ts'
import { normaliseName } from '../transport/names.ts'
import { certificatesIn, pemLabels } from '../transport/pem.ts'
import type { RevocationCheck, TlsIdentity } from '../transport/tls-policy.ts'
import { Authorities } from './authorities.ts'
import { finishReplacement, NEXT_DIRECTORY } from './replace.ts'
import { Revocation, readListsPem } from './revocation.ts'

export const KEY_FILE = 'key.pem'
export const CERT_FILE = 'cert.pem'
export const CA_FILE = 'ca.pem'
export const CRL_FILE = 'crl.pem'
/** HOST:PORT of the authority that renews the identity. */
export const AUTHORITY_FILE = 'authority'

// Ours: a large estate's revocation list fits, a mistaken log file does not.
const FILE_BYTES = 64 << 20

/** Who this host is: everything TLS needs, read and checked together. `key` is secret: never log an Identity. */
export interface Identity extends TlsIdentity {
  readonly directory: string
  /** First dNSName of the certificate, lower case. */
  readonly name: string
  readonly role: Role | undefined
  readonly facts: CertificateFacts
  /** PEM texts. `cert` holds the leaf first, then intermediates. */
  readonly key: string
  readonly cert: string
  readonly ca: string
  readonly crl: string | undefined
  /** By the lists in crl.pem as they stood when it was read. */
  readonly revoked: RevocationCheck
  /** HOST:PORT of the file `authority`, not checked. */
  readonly authority: string | undefined
}

const REPLACE = 'Issue the identity again with "loghop pki issue", or copy the whole directory from its backup'

function fault(code: string, file: string, found: string, remedy: string, cause?: unknown): LoghopError {
  return new LoghopError(code, `Cannot use identity ${file}: ${found}`, remedy, { cause })
}

/** systemd.exec(5), LoadCredential=: root's, and opened to one user by an access list, whose mask looks like rights of the group. */
function isCredential(file: string): boolean {
  return path.dirname(file) === process.env['CREDENTIALS_DIRECTORY']
}

function readText(file: string, isPrivate: boolean): string {
  // Opened before it is judged, so that what was judged is what is read. O_NONBLOCK: a FIFO of that name must not hang the start.
  const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  try {
    const stat = fs.fstatSync(fd)
    if (!stat.isFile()) throw fault('IDENTITY_FILE', file, 'it is no ordinary file', 'Put a PEM file there')
    if (isPrivate && (stat.mode & (isCredential(file) ? 0o037 : 0o077)) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0')
      throw fault('IDENTITY_KEY_MODE', file, `its mode is ${mode}, others than its owner must not read a key`, `Run: chmod 600 ${file}`)
    }
    if (stat.size > FILE_BYTES) throw fault('IDENTITY_FILE', file, `it has ${stat.size} bytes, a PEM file has a few thousand`, REPLACE)
    return fs.readFileSync(fd, 'utf8')
  } finally {
    fs.closeSync(fd)
  }
}

function readFile(directory: string, name: string, isPrivate = false): string {
  const file = path.join(directory, name)
  try {
    try {
      // Where a replacement is under way, the new file counts.
      return readText(path.join(directory, NEXT_DIRECTORY, name), isPrivate)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error
      return readText(file, isPrivate)
    }
  } catch (error) {
    if (error instanceof LoghopError) throw error
    if (errnoOf(error) === 'ENOENT') throw fault('IDENTITY_FILE', file, 'the file is missing', REPLACE, error)
    if (errnoOf(error) === 'EACCES') {
      throw fault('IDENTITY_FILE', file, 'this user may not read it', `Run as the user that owns it, or: chown USER ${file}`, error)
    }
    throw fault('IDENTITY_FILE', file, `it cannot be read (${errnoOf(error) ?? 'unknown error'})`, REPLACE, error)
  }
}

function optionalFile(directory: string, name: string): string | undefined {
  const isThere = [path.join(NEXT_DIRECTORY, name), name].some((place) => fs.existsSync(path.join(directory, place)))
  return isThere ? readFile(directory, name) : undefined
}

function requireDirectory(directory: string): void {
  const stat = fs.statSync(directory, { throwIfNoEntry: false })
  if (stat?.isDirectory()) return
  const found = stat === undefined ? 'the directory is missing' : 'it is no directory'
  throw fault('IDENTITY_DIRECTORY', directory, found, 'Make one with "loghop pki issue ... --out DIR" on the CA host, and copy it here')
}

function readKey(file: string, text: string): KeyObject {
  const labels = pemLabels(text)
  if (!labels.some((label) => label.endsWith('PRIVATE KEY'))) {
    const isSwapped = labels.includes('CERTIFICATE')
    const found = isSwapped ? 'it holds a certificate, a private key belongs there' : 'it holds no private key in PEM form'
    throw fault('IDENTITY_KEY', file, found, isSwapped ? 'Exchange the names of key.pem and cert.pem, then: chmod 600 key.pem' : REPLACE)
  }
  try {
    return createPrivateKey(text)
  } catch (error) {
    const isEncrypted = text.includes('ENCRYPTED')
    const found = isEncrypted ? 'the key is protected by a passphrase, nobody can type it at boot' : 'the private key cannot be decoded'
    // The cause stays out: a decoder's error could quote what it read.
    const remedy = isEncrypted ? `Remove the passphrase: openssl pkey -in ${file} -out ${file}.plain, then rename` : REPLACE
    throw fault('IDENTITY_KEY', file, found, remedy, errnoOf(error))
  }
}

function readCertificates(file: string, text: string): X509Certificate[] {
  if (pemLabels(text).some((label) => label.endsWith('PRIVATE KEY'))) {
    const found = 'it holds a private key, only certificates belong there'
    throw fault('IDENTITY_CERTIFICATE', file, found, 'Put the key in key.pem (chmod 600) and certificates alone in cert.pem and ca.pem')
  }
  const certificates = certificatesIn(text)
  if (certificates === undefined) throw fault('IDENTITY_CERTIFICATE', file, 'a certificate in it cannot be decoded', REPLACE)
  if (certificates.length > 0) return certificates
  throw fault('IDENTITY_CERTIFICATE', file, 'it holds no certificate in PEM form', REPLACE)
}

function requireLists(file: string, text: string): void {
  try {
    readListsPem(text)
  } catch (error) {
    const remedy = 'Fetch it again from the certificate authority ("-----BEGIN X509 CRL-----"), or remove the file to go without'
    throw fault('IDENTITY_CRL', file, 'it holds no revocation list that can be decoded', remedy, error)
  }
}

function requirePair(directory: string, key: KeyObject, chain: readonly X509Certificate[]): void {
  if (chain[0]!.checkPrivateKey(key)) return
  const isOutOfOrder = chain.some((certificate) => certificate.checkPrivateKey(key))
  const found = isOutOfOrder ? 'the certificate of this key is not the first one in it' : 'it is not the certificate of the key in key.pem'
  const remedy = isOutOfOrder ? 'Put the certificate of this host first, then its intermediates' : REPLACE
  throw fault('IDENTITY_PAIR', path.join(directory, CERT_FILE), found, remedy)
}

function readOnce(directory: string): Identity {
  const file = (name: string) => path.join(directory, name)
  const key = readFile(directory, KEY_FILE, true)
  const privateKey = readKey(file(KEY_FILE), key)
  const cert = readFile(directory, CERT_FILE)
  const chain = readCertificates(file(CERT_FILE), cert)
  requirePair(directory, privateKey, chain)
  const ca = readFile(directory, CA_FILE)
  const authorities = new Authorities(readCertificates(file(CA_FILE), ca), chain.slice(1))
  const crl = optionalFile(directory, CRL_FILE)
  if (crl !== undefined) requireLists(file(CRL_FILE), crl)
  if (!authorities.vouchFor(chain[0]!)) {
    const found = `it does not lead to a root in ca.pem, its last issuer is ${printable(chain.at(-1)!.issuer.replaceAll('\n', ', '))}`
    throw fault('IDENTITY_CHAIN', file(CERT_FILE), found, 'Put the intermediates into cert.pem behind the leaf, and their root into ca.pem')
  }
  const facts = certificateFacts(chain[0]!)
  const name = facts.names.map(normaliseName).find((candidate) => candidate !== undefined)
  if (name === undefined) {
    const found = 'its certificate carries no host name as DNS subjectAltName (the common name does not count)'
    throw fault('IDENTITY_NAME', file(CERT_FILE), found, REPLACE)
  }
  const revocation = Revocation.from(crl, authorities)
  const authority = optionalFile(directory, AUTHORITY_FILE)?.trim() || undefined
  return { directory, name, role: facts.role, facts, key, cert, ca, crl, revoked: revocation.check, authority }
}

/** Faults that files of two generations show, when the replacement was between our first and our last read. */
const MIXED_CODES = ['IDENTITY_PAIR', 'IDENTITY_CHAIN', 'IDENTITY_FILE']
const READS = 3

/**
 * Reads an identity directory: key.pem, cert.pem, ca.pem and, where there are, crl.pem and authority. Dates are not judged here, see `identityProblems`.
 * A replacement that a crash has left is finished first, where this process may write.
 * @throws {LoghopError} IDENTITY_* for each fault; no message holds key material
 */
export function loadIdentity(directory: string): Identity {
  requireDirectory(directory)
  finishReplacement(directory)
  for (let read = 1; ; read++) {
    try {
      return readOnce(directory)
    } catch (error) {
      const isMixed = error instanceof LoghopError && MIXED_CODES.includes(error.code)
      if (!isMixed || read === READS) throw error
    }
  }
}
