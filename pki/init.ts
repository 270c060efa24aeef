import { X509Certificate } from 'node:crypto'
import { makeDirectoryOnce, requireFree } from '../core/identity/new-directory.ts'
import { type CertificateFacts, certificateFacts } from '../core/transport/certificate.ts'
import { INVENTORY_FILE, ISSUER_FILE, ISSUER_KEY_FILE, ROOT_FILE, ROOT_KEY_FILE } from './authority.ts'
import { checkAuthorityName, ISSUER_DAYS, ROOT_DAYS, validityOf } from './policy.ts'
import { generateKey, signAuthority, signRoot } from './x509.ts'

export interface MadeAuthority {
  readonly directory: string
  readonly root: CertificateFacts
  readonly issuer: CertificateFacts
}

/**
 * Makes a certificate authority: a root (10 years), and below it the issuer (3 years) that signs hosts, so that the root's key can leave the machine
 * and the issuer can be replaced without touching any host.
 * @throws {LoghopError} USAGE, PKI_EXISTS, PKI_WRITE
 */
export async function initAuthority(order: { readonly directory: string; readonly name: string }, nowMs: number): Promise<MadeAuthority> {
  const name = checkAuthorityName(order.name)
  requireFree(order.directory, 'an authority')
  const rootKey = await generateKey()
  const issuerKey = await generateKey()
  const rootRequest = { name: `${name} Root`, publicKey: rootKey.keys.publicKey, pathLength: 1, ...validityOf(nowMs, ROOT_DAYS) }
  const issuerRequest = { name: `${name} Issuer`, publicKey: issuerKey.keys.publicKey, pathLength: 0, ...validityOf(nowMs, ISSUER_DAYS) }
  const rootPem = await signRoot(rootRequest, rootKey)
  const issuerPem = await signAuthority(issuerRequest, { certificatePem: rootPem, keyPem: rootKey.pem })
  makeDirectoryOnce(order.directory, 'an authority', [
    { name: ROOT_FILE, text: rootPem, mode: 0o644 },
    { name: ROOT_KEY_FILE, text: rootKey.pem, mode: 0o600 },
    { name: ISSUER_FILE, text: issuerPem, mode: 0o644 },
    { name: ISSUER_KEY_FILE, text: issuerKey.pem, mode: 0o600 },
    { name: INVENTORY_FILE, text: '', mode: 0o600 },
  ])
  return {
    directory: order.directory,
    root: certificateFacts(new X509Certificate(rootPem)),
    issuer: certificateFacts(new X509Certificate(issuerPem)),
  }
}
