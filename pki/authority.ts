import { createPrivateKey, X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { errnoOf, LoghopError } from '../core/base/errors.ts'
import type { Signer } from './x509.ts'

export const ROOT_FILE = 'root.pem'
export const ROOT_KEY_FILE = 'root.key.pem'
export const ISSUER_FILE = 'issuer.pem'
export const ISSUER_KEY_FILE = 'issuer.key.pem'
export const INVENTORY_FILE = 'issued.jsonl'

/** An authority's directory, opened for issuing: the root's key is not touched. */
export interface Authority {
  readonly directory: string
  readonly rootPem: string
  readonly issuer: Signer
  readonly issuerValidTo: Date
}

function read(directory: string, name: string): string {
  const file = path.join(directory, name)
  try {
    return fs.readFileSync(file, 'utf8')
  } catch (error) {
    const remedy =
      errnoOf(error) === 'ENOENT'
        ? `Make an authority first: loghop pki init --directory ${directory} --name "Example Logs"`
        : 'Run as the user that owns the authority'
    throw new LoghopError('PKI_READ', `Cannot read ${file}: ${errnoOf(error) ?? 'unexpected error'}`, remedy, { cause: error })
  }
}

/** @throws {LoghopError} PKI_READ for a missing or unreadable file, PKI_BROKEN when they do not belong together, PKI_KEY_MODE when others may read a key */
export function openAuthority(directory: string): Authority {
  const rootPem = read(directory, ROOT_FILE)
  const issuer = { certificatePem: read(directory, ISSUER_FILE), keyPem: read(directory, ISSUER_KEY_FILE) }
  const keyFile = path.join(directory, ISSUER_KEY_FILE)
  if ((fs.statSync(keyFile).mode & 0o077) !== 0) {
    const sentence = `Cannot use ${keyFile}: others than its owner may read it`
    throw new LoghopError('PKI_KEY_MODE', sentence, `Find out who could read it, then run: chmod 600 ${keyFile}`)
  }
  try {
    const certificate = new X509Certificate(issuer.certificatePem)
    const root = new X509Certificate(rootPem)
    if (!certificate.checkIssued(root) || !certificate.verify(root.publicKey)) throw new Error('the root did not sign the issuer')
    if (!certificate.checkPrivateKey(createPrivateKey(issuer.keyPem))) throw new Error("the issuer's key is not that of its certificate")
    return { directory, rootPem, issuer, issuerValidTo: certificate.validToDate }
  } catch (error) {
    const sentence = `Cannot use the authority in ${directory}: its files cannot be decoded or do not belong together`
    throw new LoghopError('PKI_BROKEN', sentence, 'Restore the whole directory from its backup', { cause: (error as Error).message })
  }
}
