// `agent join` and `relay join`: from a token to an identity. FORMAT.md has the steps.

import { createPrivateKey, type X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { type Address, formatAddress, parseAddress } from '../base/address.ts'
import { errnoOf, LoghopError } from '../base/errors.ts'
import { printable } from '../base/printable.ts'
import type { Role } from '../transport/certificate.ts'
import { isHostName, matchesName, normaliseName } from '../transport/names.ts'
import { certificatesIn } from '../transport/pem.ts'
import { NONE_REVOKED } from '../transport/tls-policy.ts'
import { asOwner } from './as-owner.ts'
import { bundleText, pemOf, spkiDigest } from './bundle.ts'
import { isSelfSigned } from './chain.ts'
import { askBundle, askCertificate } from './enrolment.ts'
import { EstRefused, type EstServer, presentedChain } from './est-client.ts'
import { AUTHORITY_FILE, CA_FILE, CERT_FILE, type Identity, KEY_FILE, loadIdentity } from './identity.ts'
import { newKeyPem } from './new-key.ts'
import { replaceTogether, withIdentityLock, writeNew } from './replace.ts'
import { requireToken, type Token } from './token.ts'

const PENDING_FILE = 'pending.key.pem'

export interface JoinOrder {
  readonly token: string
  readonly role: Role
  readonly directory: string
  /** For a token whose name is a pattern; otherwise it has to be the token's name. */
  readonly name?: string | undefined
  /** What this host calls itself, for a pattern when no name is given. */
  readonly hostName: string
}

export interface Joined {
  readonly identity: Identity
  readonly server: Address
  /** False when the same token had brought the same certificate before. */
  readonly isNew: boolean
}

function nameOf(token: Token, order: JoinOrder): string {
  const isPattern = !isHostName(token.name)
  const wanted = normaliseName(order.name ?? (isPattern ? order.hostName : token.name))
  if (wanted !== undefined && matchesName(token.name, wanted)) return wanted
  const called = printable(order.name ?? order.hostName)
  const sentence = `Cannot join as ${called}: the token is for ${token.name}`
  const remedy = isPattern
    ? `Give the full name of this host with --name, one that ${token.name} covers`
    : 'Leave --name out, or invite that name'
  throw new LoghopError('TOKEN_NAME', sentence, remedy)
}

function addressOf(token: Token): Address {
  const result = parseAddress(token.server)
  if (result.kind === 'ok') return result.value
  throw new LoghopError('TOKEN', `Cannot use the token: ${result.reason}`, 'Make a new one with "loghop pki invite"')
}

function makeDirectory(directory: string): void {
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    const sentence = `Cannot make the identity directory ${directory}: ${errnoOf(error) ?? 'unexpected error'}`
    throw new LoghopError(
      'IDENTITY_DIRECTORY',
      sentence,
      'Run this as root, or name a directory that this user may make: --directory DIR',
      { cause: error },
    )
  }
}

/** The key of a join under way: made, or the one of an attempt whose answer was lost. */
function pendingKey(directory: string): string {
  const file = path.join(directory, PENDING_FILE)
  if (fs.existsSync(file)) {
    const kept = fs.readFileSync(file, 'utf8')
    try {
      createPrivateKey(kept)
      return kept
    } catch {
      // What no crash of ours leaves, since it is there whole or not at all; nothing was asked for with it.
    }
  }
  const made = newKeyPem()
  fs.rmSync(`${file}.new`, { force: true })
  writeNew(`${file}.new`, made)
  fs.renameSync(`${file}.new`, file)
  const fd = fs.openSync(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
  return made
}

/** The certificate, of those that the server presents, that the token's digest names. Trust begins here, and with nothing else. */
async function anchorOf(token: Token, address: Address): Promise<X509Certificate> {
  const chain = await presentedChain(address)
  const matching = chain.filter((one) => spkiDigest(one) === token.rootSpki)
  const anchor = matching.find(isSelfSigned) ?? matching[0]
  if (anchor !== undefined) return anchor
  const root = chain.at(-1)
  const found =
    root === undefined
      ? 'no certificate'
      : `a chain up to ${printable(root.subject.replaceAll('\n', ', '))}, SHA-256 of its key ${spkiDigest(root)}`
  const sentence = `The server at ${formatAddress(address)} is not the one that made the token: it presents ${found}, the token wants ${token.rootSpki}. Nothing was sent to it`
  throw new LoghopError(
    'JOIN_SERVER',
    sentence,
    'Find out who answers at that address; if the authority was made anew, make a new token with "loghop pki invite"',
  )
}

/** An identity that stands there already, when it is of this name: its key may be the one that has used this token. */
function present(directory: string, name: string): Identity | undefined {
  try {
    const identity = loadIdentity(directory)
    return identity.name === name ? identity : undefined
  } catch {
    return undefined
  }
}

function textOf(directory: string, name: string): string {
  const file = path.join(directory, name)
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : ''
}

interface Answer {
  readonly keyPem: string
  readonly chain: readonly X509Certificate[]
}

async function enrol(
  server: EstServer,
  token: Token,
  name: string,
  bundle: readonly X509Certificate[],
  directory: string,
  before: Identity | undefined,
  nowMs: number,
): Promise<Answer> {
  const ask = async (keyPem: string): Promise<Answer> => {
    return { keyPem, chain: await askCertificate(server, { keyPem, name, secret: token.secret, nowMs }, bundle) }
  }
  if (before !== undefined && !fs.existsSync(path.join(directory, PENDING_FILE))) {
    try {
      return await ask(before.key)
    } catch (error) {
      // A key that was revoked, say: a new one is what this host needs.
      if (!(error instanceof EstRefused) || error.status !== 403) throw error
    }
  }
  return ask(asOwner(directory, () => pendingKey(directory)))
}

/**
 * Joins this host: checks the token, then the server, asks for a certificate, and installs the identity. Asking again with the same token is harmless.
 * @throws {LoghopError} TOKEN*, JOIN_SERVER, EST_*, IDENTITY_*; what was installed before is untouched
 */
export async function join(order: JoinOrder, nowMs: number): Promise<Joined> {
  const token = requireToken(order.token, order.role, nowMs)
  const name = nameOf(token, order)
  const address = addressOf(token)
  const { directory } = order
  const anchor = await anchorOf(token, address)
  const server: EstServer = { address, ca: anchor.toString(), revoked: NONE_REVOKED, allowPartialChain: true }
  const bundle = await askBundle(server)
  if (!bundle.some((one) => isSelfSigned(one) && spkiDigest(one) === token.rootSpki)) {
    const sentence = `The authority ${formatAddress(address)} no longer hands out the root that the token names`
    throw new LoghopError('JOIN_SERVER', sentence, 'Make a new token with "loghop pki invite"')
  }
  makeDirectory(directory)
  const before = asOwner(directory, () => present(directory, name))
  const { keyPem, chain } = await withIdentityLock(directory, () => enrol(server, token, name, bundle, directory, before, nowMs))
  const cert = pemOf(chain)
  const [oldCa, oldCert] = asOwner(directory, () => [textOf(directory, CA_FILE), textOf(directory, CERT_FILE)] as const)
  const ca = bundleText(oldCa, certificatesIn(oldCert) ?? [], bundle)
  await replaceTogether(directory, { [KEY_FILE]: keyPem, [CERT_FILE]: cert, [CA_FILE]: ca, [AUTHORITY_FILE]: `${token.server}\n` })
  asOwner(directory, () => fs.rmSync(path.join(directory, PENDING_FILE), { force: true }))
  return { identity: loadIdentity(directory), server: address, isNew: before?.cert !== cert }
}
