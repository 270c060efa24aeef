// The files of an authority's directory besides its journal: FORMAT.md.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { errnoOf, LoghopError } from '../core/base/errors.ts'
import { type Files, replaceFile } from '../core/base/files.ts'
import type { Signer } from './x509.ts'

export const LOCK_FILE = 'lock'
export const SERVER_DIRECTORY = 'server'

export const rootFile = (root: number): string => `root-${root}.pem`
export const rootKeyFile = (root: number): string => `root-${root}.key.pem`
export const crossFile = (root: number): string => `root-${root}.cross.pem`
export const issuerFile = (issuer: number): string => `issuer-${issuer}.pem`
export const issuerKeyFile = (issuer: number): string => `issuer-${issuer}.key.pem`
export const crlFile = (issuer: number): string => `issuer-${issuer}.crl`

const BACKUP = 'Restore the whole directory from its backup'

function broken(file: string, found: string): LoghopError {
  return new LoghopError('PKI_BROKEN', `Cannot use ${file}: ${found}`, BACKUP)
}

export class AuthorityDirectory {
  readonly path: string
  readonly #files: Files
  /** PEM texts by file name: certificates are written once. */
  readonly #certificates = new Map<string, { pem: string; certificate: X509Certificate }>()

  constructor(directory: string, files: Files) {
    this.path = directory
    this.#files = files
  }

  file(name: string): string {
    return path.join(this.path, name)
  }

  /** @throws {LoghopError} PKI_READ */
  #read(name: string): string {
    try {
      return fs.readFileSync(this.file(name), 'utf8')
    } catch (error) {
      const remedy = errnoOf(error) === 'ENOENT' ? BACKUP : 'Run as the user that owns the authority'
      throw new LoghopError('PKI_READ', `Cannot read ${this.file(name)}: ${errnoOf(error) ?? 'unexpected error'}`, remedy, { cause: error })
    }
  }

  #certificate(name: string): { pem: string; certificate: X509Certificate } {
    const known = this.#certificates.get(name)
    if (known !== undefined) return known
    const pem = this.#read(name)
    try {
      const read = { pem, certificate: new X509Certificate(pem) }
      this.#certificates.set(name, read)
      return read
    } catch {
      throw broken(this.file(name), 'it holds no certificate that can be decoded')
    }
  }

  /** Forgets what was read: the directory was put back from a backup. */
  forget(): void {
    this.#certificates.clear()
  }

  root(root: number): X509Certificate {
    return this.#certificate(rootFile(root)).certificate
  }

  cross(root: number): X509Certificate {
    return this.#certificate(crossFile(root)).certificate
  }

  issuer(issuer: number): X509Certificate {
    return this.#certificate(issuerFile(issuer)).certificate
  }

  rootPem(root: number): string {
    return this.#certificate(rootFile(root)).pem
  }

  crossPem(root: number): string {
    return this.#certificate(crossFile(root)).pem
  }

  issuerPem(issuer: number): string {
    return this.#certificate(issuerFile(issuer)).pem
  }

  #keyText(name: string): string {
    const file = this.file(name)
    const mode = fs.statSync(file, { throwIfNoEntry: false })?.mode ?? 0
    if ((mode & 0o077) !== 0) {
      const sentence = `Cannot use ${file}: others than its owner may read it`
      throw new LoghopError('PKI_KEY_MODE', sentence, `Find out who could read it, then run: chmod 600 ${file}`)
    }
    return this.#read(name)
  }

  /** @throws {LoghopError} PKI_READ, PKI_KEY_MODE, PKI_BROKEN when key and certificate do not belong together */
  issuerSigner(issuer: number): Signer {
    const keyPem = this.#keyText(issuerKeyFile(issuer))
    const signer = { certificatePem: this.issuerPem(issuer), keyPem }
    try {
      if (this.issuer(issuer).checkPrivateKey(createPrivateKey(keyPem))) return signer
    } catch {
      throw broken(this.file(issuerKeyFile(issuer)), 'it holds no private key that can be decoded')
    }
    throw broken(this.file(issuerKeyFile(issuer)), `it is not the key of ${issuerFile(issuer)}`)
  }

  /** `absent`: kept elsewhere. `encrypted`: needs the passphrase. */
  rootKeyState(root: number): 'plain' | 'encrypted' | 'absent' {
    const file = this.file(rootKeyFile(root))
    if (!fs.existsSync(file)) return 'absent'
    return this.#keyText(rootKeyFile(root)).includes('ENCRYPTED') ? 'encrypted' : 'plain'
  }

  /** @throws {LoghopError} PKI_ROOT_KEY when it is not here, or the passphrase does not open it */
  rootSigner(root: number, passphrase: string | undefined): Signer {
    const file = this.file(rootKeyFile(root))
    const state = this.rootKeyState(root)
    if (state === 'absent') {
      throw new LoghopError(
        'PKI_ROOT_KEY',
        `Cannot sign with root ${root}: ${file} is not here`,
        'Put the key back for the moment, from where it is kept',
      )
    }
    if (state === 'encrypted' && passphrase === undefined) {
      const remedy = 'Give --passphrase-file FILE, or LOGHOP_ROOT_PASSPHRASE in the environment, or --passphrase-prompt'
      throw new LoghopError('PKI_ROOT_KEY', `Cannot sign with root ${root}: ${file} is encrypted, its passphrase is needed`, remedy)
    }
    let key: KeyObject
    try {
      key = createPrivateKey({ key: this.#keyText(rootKeyFile(root)), ...(state === 'encrypted' ? { passphrase: passphrase! } : {}) })
    } catch {
      // The decoder's own words stay out: they could quote what was read.
      const found = state === 'encrypted' ? 'the passphrase does not open it' : 'it cannot be decoded'
      throw new LoghopError(
        'PKI_ROOT_KEY',
        `Cannot use ${file}: ${found}`,
        state === 'encrypted' ? 'Give the passphrase it was made with' : BACKUP,
      )
    }
    if (!this.root(root).checkPrivateKey(key)) throw broken(file, `it is not the key of ${rootFile(root)}`)
    return { certificatePem: this.rootPem(root), keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString() }
  }

  revocationList(issuer: number): Buffer | undefined {
    try {
      return fs.readFileSync(this.file(crlFile(issuer)))
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined
      const sentence = `Cannot read ${this.file(crlFile(issuer))}: ${errnoOf(error) ?? 'unexpected error'}`
      throw new LoghopError('PKI_READ', sentence, 'Run as the user that owns the authority', { cause: error })
    }
  }

  /**
   * A whole file at once, durable when this returns. What a crash left under the name is replaced.
   * @throws {LoghopError} PKI_WRITE
   */
  write(name: string, content: string | Buffer, mode: number): void {
    try {
      replaceFile(this.#files, this.file(name), Buffer.from(content), mode)
      this.#certificates.delete(name)
    } catch (error) {
      const sentence = `Cannot write ${this.file(name)}: ${errnoOf(error) ?? 'unexpected error'}`
      throw new LoghopError('PKI_WRITE', sentence, 'Make space, or mend the file system, and run it again', { cause: error })
    }
  }
}
