// Identities that "pki issue" would not make.

import * as fs from 'node:fs'
import * as path from 'node:path'
import type { LeafRequest } from '../../pki/x509.ts'
import { DAY_MS, type Leaf, makeLeaf } from '../unit/pki/made.ts'
import type { Chain } from './chain.ts'

export const EXPIRED = { notBefore: new Date(Date.now() - 30 * DAY_MS), notAfter: new Date(Date.now() - DAY_MS) }

function authorityFile(chain: Chain, authority: string, name: string): string {
  return fs.readFileSync(chain.place(path.join(authority, name)), 'utf8')
}

export interface MadeIdentity {
  readonly key: string
  readonly cert: string
  readonly ca: string
  readonly leaf: Leaf
}

/** A certificate of the chain's authority that says what it is told to. */
export async function makeIdentity(chain: Chain, differing: Partial<LeafRequest>, authority = 'ca'): Promise<MadeIdentity> {
  const certificatePem = authorityFile(chain, authority, 'issuer-1.pem')
  const leaf = await makeLeaf({ certificatePem, keyPem: authorityFile(chain, authority, 'issuer-1.key.pem') }, differing)
  return { key: leaf.keyPem, cert: leaf.pem + certificatePem, ca: authorityFile(chain, authority, 'root-1.pem'), leaf }
}

/** As a directory, in the place of the one that stands there. */
export function putIdentity(chain: Chain, name: string, identity: MadeIdentity): void {
  fs.rmSync(chain.place(name), { recursive: true, force: true })
  fs.mkdirSync(chain.place(name), { mode: 0o700 })
  fs.writeFileSync(chain.place(`${name}/key.pem`), identity.key, { mode: 0o600 })
  fs.writeFileSync(chain.place(`${name}/cert.pem`), identity.cert)
  fs.writeFileSync(chain.place(`${name}/ca.pem`), identity.ca)
}

/** Adds an authority to those that an identity trusts. */
export function trustAlso(chain: Chain, name: string, authority: string): void {
  fs.appendFileSync(chain.place(`${name}/ca.pem`), authorityFile(chain, authority, 'root-1.pem'))
}
