// An authority that is nothing but openssl's own commands, and identity directories made by hand with it.

import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'

export type KeyKind = 'rsa' | 'ec'

export interface HostOrder {
  readonly name: string
  /** Lines of an extension file; the default has names and both uses. */
  readonly extensions?: readonly string[]
  readonly key?: KeyKind
}

const KEY_OPTIONS: Readonly<Record<KeyKind, readonly string[]>> = {
  rsa: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  ec: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
}
const AUTHORITY = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign', 'subjectKeyIdentifier=hash']

function openssl(...argv: string[]): string {
  return execFileSync('openssl', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

export class OpensslAuthority {
  readonly #directory: string
  readonly #kind: KeyKind
  /** Whose key signs hosts. */
  readonly #signer: 'root' | 'intermediate'

  constructor(directory: string, kind: KeyKind, hasIntermediate: boolean) {
    this.#directory = directory
    this.#kind = kind
    this.#signer = hasIntermediate ? 'intermediate' : 'root'
    fs.mkdirSync(directory)
    this.#makeKey('root', kind)
    const names = AUTHORITY.flatMap((line) => ['-addext', line])
    const subject = ['-subj', '/O=Other Ltd/CN=Other Root', '-days', '30']
    openssl('req', '-x509', '-new', '-key', this.#file('root.key'), ...subject, ...names, '-out', this.#file('root.pem'))
    if (hasIntermediate) {
      this.#makeKey('intermediate', kind)
      this.#sign('intermediate', '/O=Other Ltd/CN=Other Issuer', [...AUTHORITY, 'authorityKeyIdentifier=keyid'], 'root')
    }
  }

  /** Key, certificate and authorities as an identity directory, in the place of the one that stands there. */
  makeIdentity(directory: string, order: HostOrder): void {
    const both = [`subjectAltName=DNS:${order.name}`, 'extendedKeyUsage=clientAuth,serverAuth', 'keyUsage=critical,digitalSignature']
    this.#makeKey(order.name, order.key ?? this.#kind)
    this.#sign(order.name, `/O=Other Ltd/CN=${order.name}`, order.extensions ?? both, this.#signer)
    fs.rmSync(directory, { recursive: true, force: true })
    fs.mkdirSync(directory)
    const above = this.#signer === 'root' ? '' : this.#text('intermediate.pem')
    fs.writeFileSync(path.join(directory, 'key.pem'), this.#text(`${order.name}.key`), { mode: 0o600 })
    fs.writeFileSync(path.join(directory, 'cert.pem'), this.#text(`${order.name}.pem`) + above)
    fs.writeFileSync(path.join(directory, 'ca.pem'), this.#text('root.pem'))
  }

  /** A list of each authority of the chain, PEM; those hosts are revoked. */
  revocationLists(revoked: readonly string[]): string {
    const authorities = this.#signer === 'root' ? ['root'] : ['intermediate', 'root']
    return authorities.map((authority) => this.#list(authority, authority === this.#signer ? revoked : [])).join('')
  }

  #list(authority: string, revoked: readonly string[]): string {
    const database = `${authority}.index`
    const number = `${authority}.number`
    for (const [name, text] of [
      [database, ''],
      [number, '01\n'],
    ] as const)
      if (!fs.existsSync(this.#file(name))) fs.writeFileSync(this.#file(name), text)
    const settings = `database=${this.#file(database)}\ncrlnumber=${this.#file(number)}\ndefault_md=sha256\ndefault_crl_days=30\n`
    fs.writeFileSync(this.#file('ca.cnf'), `[ca]\ndefault_ca=d\n[d]\n${settings}`)
    const by = ['-keyfile', this.#file(`${authority}.key`), '-cert', this.#file(`${authority}.pem`), '-config', this.#file('ca.cnf')]
    for (const name of revoked) openssl('ca', ...by, '-revoke', this.#file(`${name}.pem`))
    return openssl('ca', ...by, '-gencrl')
  }

  #makeKey(name: string, kind: KeyKind): void {
    openssl('genpkey', ...KEY_OPTIONS[kind], '-out', this.#file(`${name}.key`))
  }

  #sign(name: string, subject: string, extensions: readonly string[], by: string): void {
    fs.writeFileSync(this.#file(`${name}.ext`), `${extensions.join('\n')}\n`)
    openssl('req', '-new', '-key', this.#file(`${name}.key`), '-subj', subject, '-out', this.#file(`${name}.csr`))
    const above = ['-CA', this.#file(`${by}.pem`), '-CAkey', this.#file(`${by}.key`), '-CAcreateserial', '-days', '30']
    const request = ['-req', '-in', this.#file(`${name}.csr`), '-extfile', this.#file(`${name}.ext`)]
    openssl('x509', ...request, ...above, '-out', this.#file(`${name}.pem`))
  }

  #file(name: string): string {
    return path.join(this.#directory, name)
  }

  #text(name: string): string {
    return fs.readFileSync(this.#file(name), 'utf8')
  }
}
