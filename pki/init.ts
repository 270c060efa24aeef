import { X509Certificate } from 'node:crypto'
import { type CertificateFacts, certificateFacts } from '../core/transport/certificate.ts'
import { Authority } from './authority.ts'
import { issuerFile, issuerKeyFile, LOCK_FILE, rootFile, rootKeyFile } from './directory.ts'
import { JOURNAL_FILE, journalLine } from './journal.ts'
import { makeDirectoryOnce, requireFree } from './new-directory.ts'
import { checkAuthorityName } from './policy.ts'
import { refreshLists } from './revocation.ts'
import { keyFileText, makeIssuer, makeRoot } from './rotation.ts'

export interface MadeAuthority {
  readonly directory: string
  readonly root: CertificateFacts
  readonly issuer: CertificateFacts
}

export interface InitOrder {
  readonly directory: string
  readonly name: string
  /** Encrypts the root's key. */
  readonly passphrase?: string | undefined
  readonly by?: string
}

/**
 * Makes a certificate authority: a root (10 years), and below it the issuer (1 year) that signs hosts, so that the root's key can leave the machine
 * and the issuer can be replaced without touching any host.
 * @throws {LoghopError} USAGE, PKI_EXISTS, PKI_WRITE
 */
export async function initAuthority(order: InitOrder, nowMs: number): Promise<MadeAuthority> {
  const { directory, passphrase, by = 'unknown' } = order
  const name = checkAuthorityName(order.name)
  requireFree(directory, 'an authority')
  const root = await makeRoot(name, nowMs)
  const issuer = await makeIssuer(name, 1, root, nowMs)
  const line = journalLine(undefined, { at: new Date(nowMs).toISOString(), by, act: 'init', name, root: 1, issuer: 1 })
  makeDirectoryOnce(directory, 'an authority', [
    { name: rootFile(1), text: root.certificatePem, mode: 0o644 },
    { name: rootKeyFile(1), text: keyFileText(root.keyPem, passphrase), mode: 0o600 },
    { name: issuerFile(1), text: issuer.certificatePem, mode: 0o644 },
    { name: issuerKeyFile(1), text: issuer.keyPem, mode: 0o600 },
    { name: LOCK_FILE, text: '', mode: 0o600 },
    { name: JOURNAL_FILE, text: line.text, mode: 0o600 },
  ])
  await Authority.open(directory, { by, now: () => nowMs }).act(refreshLists)
  return {
    directory,
    root: certificateFacts(new X509Certificate(root.certificatePem)),
    issuer: certificateFacts(new X509Certificate(issuer.certificatePem)),
  }
}
