// New issuers and roots, and the end of old ones. Nobody is cut off on the way: FORMAT.md, "Rotation".

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { LoghopError } from '../core/base/errors.ts'
import { spkiDigest } from '../core/identity/bundle.ts'
import { dayOf } from '../core/transport/certificate.ts'
import type { ActSession } from './act-session.ts'
import { signingIssuer } from './chains.ts'
import { type AuthorityDirectory, crossFile, issuerFile, issuerKeyFile, rootFile, rootKeyFile } from './directory.ts'
import { DAY_MS, ISSUER_DAYS, ROOT_DAYS, validityOf } from './policy.ts'
import { GRACE_MS, refreshLists } from './revocation.ts'
import { certificatesOf, type Host, type Issued, isLive, liveRoots, newestIssuer, newestRoot, type State } from './state.ts'
import { generateKey, type KeyPair, type Signer, signAuthority, signRoot } from './x509.ts'

export interface MadeKey {
  readonly certificatePem: string
  readonly keyPem: string
}

// RFC 4210 section 4.4: all roots of an authority have one name, so that a cross certificate counts as the root's own and not as one more step of the path.
const rootName = (name: string): string => `${name} Root`
const issuerName = (name: string, issuer: number): string => (issuer === 1 ? `${name} Issuer` : `${name} Issuer ${issuer}`)

/** PKCS#8, encrypted when there is a passphrase. */
export function keyFileText(pem: string, passphrase: string | undefined): string {
  if (passphrase === undefined) return pem
  return createPrivateKey(pem).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }).toString()
}

export async function makeRoot(name: string, nowMs: number): Promise<MadeKey & { readonly pair: KeyPair }> {
  const pair = await generateKey()
  const request = { name: rootName(name), publicKey: pair.keys.publicKey, pathLength: 1, ...validityOf(nowMs, ROOT_DAYS * DAY_MS) }
  return { certificatePem: await signRoot(request, pair), keyPem: pair.pem, pair }
}

export async function makeIssuer(name: string, issuer: number, root: Signer, nowMs: number): Promise<MadeKey> {
  const { keys, pem } = await generateKey()
  const validity = validityOf(nowMs, ISSUER_DAYS * DAY_MS, new X509Certificate(root.certificatePem).validToDate)
  const request = { name: issuerName(name, issuer), publicKey: keys.publicKey, pathLength: 0, ...validity }
  return { certificatePem: await signAuthority(request, root), keyPem: pem }
}

function writeIssuer(directory: AuthorityDirectory, issuer: number, made: MadeKey): void {
  directory.write(issuerKeyFile(issuer), made.keyPem, 0o600)
  directory.write(issuerFile(issuer), made.certificatePem, 0o644)
}

/** Makes issuer N+1 below the newest root. @throws {LoghopError} PKI_ROOT_KEY, PKI_WRITE */
export async function rotateIssuer(session: ActSession, passphrase: string | undefined, by?: string): Promise<{ issuer: number }> {
  const { state, directory, nowMs } = session
  const signer = directory.rootSigner(newestRoot(state).number, passphrase)
  const issuer = newestIssuer(state).number + 1
  writeIssuer(directory, issuer, await makeIssuer(state.name, issuer, signer, nowMs))
  session.append({ act: 'rotate', issuer, cross: false }, by)
  refreshLists(session)
  return { issuer }
}

/**
 * Makes root N+1, cross-signed by root N, and an issuer below it. The new key is encrypted when a passphrase is given.
 * @throws {LoghopError} PKI_ROOT_KEY, PKI_ROTATION while an earlier rotation has not ended, PKI_WRITE
 */
export async function rotateRoot(session: ActSession, passphrase: string | undefined): Promise<{ root: number; issuer: number }> {
  const { state, directory, nowMs } = session
  const old = newestRoot(state).number
  if (liveRoots(state).length > 1) {
    const sentence = `Cannot make a new root: root ${liveRoots(state).at(-1)!.number} has not been retired yet`
    throw new LoghopError('PKI_ROTATION', sentence, 'End that rotation first: loghop pki rotate --status, then --retire')
  }
  const signer = directory.rootSigner(old, passphrase)
  const root = old + 1
  const issuer = newestIssuer(state).number + 1
  const made = await makeRoot(state.name, nowMs)
  const lastDate = new X509Certificate(signer.certificatePem).validToDate
  const crossRequest = { name: rootName(state.name), publicKey: made.pair.keys.publicKey, pathLength: 1 }
  const cross = await signAuthority({ ...crossRequest, ...validityOf(nowMs, ROOT_DAYS * DAY_MS, lastDate) }, signer)
  directory.write(rootKeyFile(root), keyFileText(made.keyPem, passphrase), 0o600)
  directory.write(rootFile(root), made.certificatePem, 0o644)
  directory.write(crossFile(root), cross, 0o644)
  writeIssuer(directory, issuer, await makeIssuer(state.name, issuer, made, nowMs))
  session.append({ act: 'rotate', root, issuer, cross: true })
  refreshLists(session)
  return { root, issuer }
}

/** A live host that the end of the old root would cut off. */
export interface MissingHost {
  readonly name: string
  readonly serial: string
  readonly lastSeen: string
  /** `renewal`: its certificate comes from below an old root. `trust`: nobody has seen it trust the new one. */
  readonly lacks: readonly ('renewal' | 'trust')[]
}

export interface RotationStatus {
  /** Numbers, newest first. */
  readonly roots: readonly number[]
  readonly issuer: number
  /** Roots that await their end; empty when no rotation is under way. */
  readonly old: readonly number[]
  readonly live: number
  readonly missing: readonly MissingHost[]
  /** Names of hosts below an old root that have expired and may still renew: until the old one ends. */
  readonly expired: readonly string[]
}

function missingOf(state: State, host: Host, newest: Issued, newSpki: string): MissingHost | undefined {
  const root = newestRoot(state).number
  const isBelow = state.issuers.find(({ number }) => number === newest.issuer)!.root === root
  // Who got its directory from here got the trust with it; a join is believed when the host says so itself.
  const isHandedOver = newest.via === 'command' && newest.bundle.includes(newSpki)
  const isTrusting = isHandedOver || host.seen?.roots.includes(newSpki) === true
  if (isBelow && isTrusting) return undefined
  const lacks = [...(isBelow ? [] : (['renewal'] as const)), ...(isTrusting ? [] : (['trust'] as const))]
  return { name: host.name, serial: newest.serial, lastSeen: lastSeenOf(host, newest), lacks }
}

/** When the host was last heard of: issue, renewal or trust shown. ISO 8601. */
export function lastSeenOf(host: Host, newest: Issued): string {
  return host.seen !== undefined && host.seen.at > newest.at ? host.seen.at : newest.at
}

export function rotationStatus(session: Pick<ActSession, 'state' | 'directory' | 'nowMs'>): RotationStatus {
  const { state, directory, nowMs } = session
  const roots = liveRoots(state).map(({ number }) => number)
  const newSpki = spkiDigest(directory.root(roots[0]!))
  const live: { host: Host; newest: Issued }[] = []
  const expired: string[] = []
  for (const host of state.hosts.values()) {
    if (host.banned !== undefined) continue
    const all = certificatesOf(state, host.name)
    const newest = all.findLast((issued) => isLive(issued, nowMs))
    if (newest !== undefined) live.push({ host, newest })
    else if (all.some((issued) => isLive(issued, nowMs - GRACE_MS))) expired.push(host.name)
  }
  const missing = roots.length === 1 ? [] : live.map(({ host, newest }) => missingOf(state, host, newest, newSpki))
  return {
    roots,
    issuer: signingIssuer(session),
    old: roots.slice(1),
    live: live.length,
    missing: missing.filter((one) => one !== undefined),
    expired: roots.length === 1 ? [] : expired,
  }
}

/** In words, for a person who waits for it. */
export function missingText({ name, lacks, lastSeen }: MissingHost): string {
  const words = lacks.map((one) => (one === 'renewal' ? 'has to renew' : 'has not shown that it trusts the new root'))
  return `${name}: ${words.join(' and ')}; last seen ${dayOf(new Date(lastSeen))}`
}

/**
 * Ends every root but the newest.
 * @returns who was missing, and is cut off now; empty unless forced. And who had expired, and could have renewed until now
 * @throws {LoghopError} PKI_ROTATION while a live host is missing, or when there is nothing to retire
 */
export function retire(
  session: ActSession,
  isForced: boolean,
): { roots: readonly number[]; missing: readonly MissingHost[]; expired: readonly string[] } {
  const { old, missing, expired } = rotationStatus(session)
  if (old.length === 0) {
    throw new LoghopError('PKI_ROTATION', 'Cannot retire a root: there is only one', 'Make a new one first: loghop pki rotate --root')
  }
  if (missing.length > 0 && !isForced) {
    const names = missing.slice(0, 20).map((one) => `\n    ${missingText(one)}`)
    const more = missing.length > 20 ? `\n    and ${missing.length - 20} more` : ''
    const sentence = `Cannot retire root ${old.join(', ')}: ${missing.length} live ${missing.length === 1 ? 'host is' : 'hosts are'} missing${names.join('')}${more}`
    const remedy = 'Wait until they have renewed, or start them; --force cuts them off until they join again'
    throw new LoghopError('PKI_ROTATION', sentence, remedy)
  }
  // Oldest first: a crash between two of them leaves a sound chain.
  for (const root of [...old].reverse()) session.append({ act: 'retire', root })
  return { roots: old, missing, expired }
}
