// Which certificates are handed out together.

import type { X509Certificate } from 'node:crypto'
import { spkiDigest } from '../core/identity/bundle.ts'
import type { ActSession } from './act-session.ts'
import type { AuthorityDirectory } from './directory.ts'
import { crossesBelow, liveIssuers, liveRoots, newestIssuer, type State } from './state.ts'

/**
 * Number of the issuer that signs: the newest that is valid now. A newer one whose time has not come was made while the clock was ahead: what it signs nobody
 * would believe. When none is valid, the newest that has been.
 */
export function signingIssuer({ state, directory, nowMs }: Pick<ActSession, 'state' | 'directory' | 'nowMs'>): number {
  const begun = liveIssuers(state).filter(({ number }) => directory.issuer(number).validFromDate.getTime() <= nowMs)
  const valid = begun.find(({ number }) => directory.issuer(number).validToDate.getTime() > nowMs)
  return (valid ?? begun[0] ?? newestIssuer(state)).number
}

/** What stands behind a leaf of that issuer: the issuer, and cross certificates for peers that know an older root only. */
export function behindLeaf(state: State, directory: AuthorityDirectory, issuer: number): X509Certificate[] {
  const root = state.issuers.find(({ number }) => number === issuer)!.root
  return [directory.issuer(issuer), ...crossesBelow(state, root).map((number) => directory.cross(number))]
}

function validIssuers(state: State, directory: AuthorityDirectory, nowMs: number): X509Certificate[] {
  return liveIssuers(state)
    .map(({ number }) => directory.issuer(number))
    .filter(({ validToDate }) => validToDate.getTime() > nowMs)
}

/** Roots newest first, then issuers: what stands in ca.pem. */
export function trusted(state: State, directory: AuthorityDirectory, nowMs: number): X509Certificate[] {
  return [...liveRoots(state).map(({ number }) => directory.root(number)), ...validIssuers(state, directory, nowMs)]
}

/** The same with the cross certificates behind it: what `/cacerts` gives. */
export function bundleOf(state: State, directory: AuthorityDirectory, nowMs: number): X509Certificate[] {
  return [...trusted(state, directory, nowMs), ...crossesBelow(state, liveRoots(state)[0]!.number).map((number) => directory.cross(number))]
}

/** SHA-256 of the public keys of the roots in the bundle, hex. */
export function bundleRoots(state: State, directory: AuthorityDirectory): string[] {
  return liveRoots(state).map(({ number }) => spkiDigest(directory.root(number)))
}
