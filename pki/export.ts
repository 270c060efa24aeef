import { createPrivateKey, type X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { errnoOf, LoghopError } from '../core/base/errors.ts'
import { nodeFiles, writeAll } from '../core/base/files.ts'
import { printable } from '../core/base/printable.ts'
import { isSelfSigned } from '../core/identity/chain.ts'
import { loadIdentity } from '../core/identity/identity.ts'
import { certificateFacts } from '../core/transport/certificate.ts'
import { certificatesIn } from '../core/transport/pem.ts'
import { pkcs12 } from './pkcs12.ts'

export const PASSPHRASE_MIN = 8
const PASSPHRASE_MAX = 128

export interface ExportOrder {
  /** An identity directory. */
  readonly identity: string
  readonly file: string
  readonly passphrase: string
}

/** @throws {LoghopError} USAGE; the passphrase itself is in no message */
function checkPassphrase(passphrase: string): void {
  const found =
    passphrase.length < PASSPHRASE_MIN || passphrase.length > PASSPHRASE_MAX
      ? `the passphrase has ${passphrase.length} characters, ${PASSPHRASE_MIN} to ${PASSPHRASE_MAX} are possible`
      : /^[\x20-\x7e]*$/.test(passphrase)
        ? undefined
        : 'the passphrase holds a character that is not printable ASCII, and programs differ on how those are encoded'
  if (found === undefined) return
  throw new LoghopError('USAGE', `Cannot export: ${found}`, `Take one such as that of: openssl rand -base64 18`)
}

function refuseExisting(file: string): LoghopError {
  const sentence = `Cannot export to ${file}: something stands there already, and nothing is ever overwritten`
  return new LoghopError('PKI_EXISTS', sentence, 'Name a file that does not exist yet, or move the old one away')
}

/** Mode 0600, fsynced; what cannot be written whole is removed again. */
function writeOnce(file: string, bytes: Buffer): void {
  const fd = fs.openSync(file, 'wx', 0o600)
  try {
    fs.fchmodSync(fd, 0o600)
    writeAll(nodeFiles, fd, bytes, 0)
    fs.fsyncSync(fd)
  } catch (error) {
    fs.rmSync(file, { force: true })
    throw error
  } finally {
    fs.closeSync(fd)
  }
  nodeFiles.syncDirectory(path.dirname(path.resolve(file)))
}

// Readers that list by name want each one once, and a rotated root has the name of the old one.
function nameOfRoot(certificate: X509Certificate): string {
  const { commonName, publicKeySha256 } = certificateFacts(certificate)
  return `${printable(commonName ?? 'root')} (${publicKeySha256.replace('spki-sha256:', '').slice(0, 8)})`
}

/**
 * Writes an identity as one PKCS#12 file for programs that want that: key, leaf, the chain, and the roots as trusted certificates.
 * @throws {LoghopError} USAGE for the passphrase, IDENTITY_* for the directory, PKI_EXISTS, PKI_WRITE; then there is no file
 * @returns how many certificates are in it, and their roots
 */
export function exportPkcs12(order: ExportOrder): { readonly name: string; readonly certificates: number; readonly roots: number } {
  checkPassphrase(order.passphrase)
  const identity = loadIdentity(order.identity)
  if (fs.lstatSync(order.file, { throwIfNoEntry: false }) !== undefined) throw refuseExisting(order.file)
  // loadIdentity() has read both, and refuses an empty one.
  const [leaf, ...others] = certificatesIn(identity.cert)!
  const inChain = new Set([leaf!, ...others].map(({ fingerprint256 }) => fingerprint256))
  const trusted = certificatesIn(identity.ca)!.filter(({ fingerprint256 }) => !inChain.has(fingerprint256))
  const roots = trusted.filter(isSelfSigned).map((certificate) => ({ name: nameOfRoot(certificate), certificate }))
  // Intermediates that stand in ca.pem help to build the chain, and are trusted by nobody.
  const chain = [leaf!, ...others, ...trusted.filter((certificate) => !isSelfSigned(certificate))] as const
  const bytes = pkcs12({ name: identity.name, key: createPrivateKey(identity.key), chain: [...chain], roots }, order.passphrase)
  try {
    writeOnce(order.file, bytes)
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw refuseExisting(order.file)
    const sentence = `Cannot export to ${order.file}: ${errnoOf(error) ?? 'unexpected error'}`
    throw new LoghopError('PKI_WRITE', sentence, 'Check that the directory exists, may be written, and has space', { cause: error })
  }
  return { name: identity.name, certificates: chain.length + roots.length, roots: roots.length }
}
