// Certificate signing requests as hosts send them, honest and otherwise.

import 'reflect-metadata'
import { createHash, type webcrypto } from 'node:crypto'
import * as path from 'node:path'
import * as x509 from '@peculiar/x509'
import type { ExecutionContext } from 'ava'
import { parseToken, type Token } from '../../../core/identity/token.ts'
import { Authority } from '../../../pki/authority.ts'
import { initAuthority } from '../../../pki/init.ts'
import { type InviteOrder, invite } from '../../../pki/invitations.ts'
import { NOW, temporaryDirectory } from './made.ts'

export const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

export function makeKeys(algorithm: object = P256): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm as webcrypto.EcKeyGenParams, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>
}

export interface RequestOptions {
  readonly keys?: webcrypto.CryptoKeyPair
  readonly algorithm?: object
  readonly subject?: x509.JsonName
  readonly extensions?: x509.Extension[]
}

/** PKCS#10, DER. */
export async function makeRequest(options: RequestOptions = {}): Promise<Buffer> {
  const algorithm = (options.algorithm ?? P256) as typeof P256
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: new x509.Name(options.subject ?? []),
    keys: options.keys ?? (await makeKeys(algorithm)),
    signingAlgorithm: algorithm,
    extensions: options.extensions ?? [],
  })
  return Buffer.from(csr.rawData)
}

export async function spkiOfKeys(keys: webcrypto.CryptoKeyPair): Promise<string> {
  return createHash('sha256')
    .update(Buffer.from(await crypto.subtle.exportKey('spki', keys.publicKey)))
    .digest('hex')
}

export const HOST = 'web01.example.com'
export const FROM = '192.0.2.1:4711'
export const SERVER = 'ca.example.com:8443'

/** An authority in a directory of its own, with a clock that the test turns. */
export class MadeAuthority {
  readonly directory: string
  readonly parent: string
  readonly authority: Authority
  nowMs = NOW

  private constructor(directory: string, parent: string) {
    this.directory = directory
    this.parent = parent
    this.authority = Authority.open(directory, { by: 'test', now: () => this.nowMs })
  }

  static async make(t: ExecutionContext, passphrase?: string): Promise<MadeAuthority> {
    const parent = temporaryDirectory(t)
    const directory = path.join(parent, 'ca')
    await initAuthority({ directory, name: 'Example Logs', passphrase, by: 'test' }, NOW)
    return new MadeAuthority(directory, parent)
  }

  async invite(order: Partial<InviteOrder> = {}): Promise<Token> {
    const whole = { name: HOST, role: 'agent', ttlMs: 3_600_000, uses: 1, server: SERVER, ...order }
    const { token } = await this.authority.act((session) => invite(session, whole))
    const result = parseToken(token)
    if (result.kind === 'malformed') throw new Error(result.reason)
    return result.token
  }

  /** A host that has joined. */
  async join(
    name = HOST,
    order: Partial<InviteOrder> = {},
  ): Promise<{ keys: webcrypto.CryptoKeyPair; certificate: Buffer; chain: readonly Buffer[] }> {
    const { secret } = await this.invite({ name, ...order })
    const keys = await makeKeys()
    const answer = await this.authority.enrol({ name, secret, csr: await makeRequest({ keys }), from: FROM })
    if (answer.kind === 'refused') throw new Error(answer.sentence)
    return { keys, certificate: answer.chain[0]!, chain: answer.chain }
  }

  get issued(): number {
    return this.authority.state.certificates.size
  }
}
