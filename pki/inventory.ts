import type { ActSession } from './act-session.ts'
import type { Act, IssuedRole } from './acts.ts'
import { GRACE_MS } from './revocation.ts'
import { lastSeenOf } from './rotation.ts'
import { certificatesOf, type Host, type Invitation, type Issued, type State } from './state.ts'

type View = Pick<ActSession, 'state' | 'directory' | 'nowMs'>

export const HOST_STATES = ['valid', 'overdue', 'grace', 'expired', 'revoked', 'reset', 'invited'] as const
/**
 * `overdue`: valid, but it should have renewed long ago. `grace`: expired, may still renew by its key. `reset`: was revoked, may be invited.
 * `invited`: has an open invitation and no certificate.
 */
export type HostState = (typeof HOST_STATES)[number]

/** A line of `pki list`. Times: ISO 8601; undefined where there is none. */
export interface InventoryLine {
  readonly name: string
  readonly role: IssuedRole
  /** Of the newest certificate. */
  readonly serial: string | undefined
  readonly issued: string | undefined
  readonly expires: string | undefined
  readonly seen: string | undefined
  readonly state: HostState
}

// Renewal is due at two thirds; what has not happened at five sixths does not happen by itself.
const OVERDUE_PART = 5 / 6

export function stateOfCertificate(issued: Issued, nowMs: number): 'valid' | 'overdue' | 'grace' | 'expired' | 'revoked' {
  if (issued.revoked !== undefined) return 'revoked'
  const [start, end] = [Date.parse(issued.notBefore), Date.parse(issued.notAfter)]
  if (nowMs < end) return nowMs - start > (end - start) * OVERDUE_PART ? 'overdue' : 'valid'
  return nowMs < end + GRACE_MS ? 'grace' : 'expired'
}

/** The certificate that a host is expected to use: the newest that is not revoked, else the newest. */
export function currentOf(state: State, name: string): Issued | undefined {
  const all = certificatesOf(state, name)
  return all.findLast(({ revoked }) => revoked === undefined) ?? all.at(-1)
}

export function isOpen({ state }: Pick<View, 'state'>, invitation: Invitation, nowMs: number): boolean {
  const isSpent = invitation.issued.length >= invitation.uses * (invitation.rsa ? 2 : 1)
  return !invitation.isVoid && !isSpent && Date.parse(invitation.expires) > nowMs && state.hosts.get(invitation.name)?.banned === undefined
}

function lineOfHost(view: View, host: Host): InventoryLine | undefined {
  const current = currentOf(view.state, host.name)
  if (current === undefined) return undefined
  const found = stateOfCertificate(current, view.nowMs)
  const state = host.banned !== undefined ? 'revoked' : found === 'revoked' ? 'reset' : found
  return lineOf(current, lastSeenOf(host, current), state)
}

function lineOf(issued: Issued, seen: string | undefined, state: HostState): InventoryLine {
  const { name, role, serial, at, notAfter } = issued
  return { name, role, serial, issued: at, expires: notAfter, seen, state }
}

/** Every host, those that are invited only, and the authority's own server; by name. */
export function inventoryOf(view: View): InventoryLine[] {
  const { state, nowMs } = view
  const hosts = [...state.hosts.values()].map((host) => lineOfHost(view, host)).filter((line) => line !== undefined)
  const known = new Set(hosts.map(({ name }) => name))
  const invited = [...state.invitations.values()].filter((one) => isOpen(view, one, nowMs) && !known.has(one.name))
  const server = [...state.certificates.values()].findLast(({ role }) => role === 'authority')
  return [
    ...hosts,
    ...invited.map(({ name, role, expires }) => {
      return { name, role, serial: undefined, issued: undefined, expires, seen: undefined, state: 'invited' } as const
    }),
    ...(server === undefined ? [] : [lineOf(server, undefined, stateOfCertificate(server, nowMs))]),
  ].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

/** What an act of the journal says about a host, in words; undefined when it is about others. */
export function actText(act: Act, name: string, serials: ReadonlySet<string>): string | undefined {
  switch (act.act) {
    case 'invite':
      return act.name === name ? `invited as ${act.role}, until ${act.expires}, ${act.uses} ${act.uses === 1 ? 'use' : 'uses'}` : undefined
    case 'issue':
      return act.name === name && serials.has(act.serial) ? `issued ${act.serial} (${act.via})` : undefined
    case 'refuse':
      return act.name === name ? `refused: ${act.reason}` : undefined
    case 'revoke':
      return act.name === name ? `revoked (${act.reason}): ${act.serials.join(', ') || 'no certificate'}` : undefined
    case 'reset':
      return act.name === name ? 'reset' : undefined
    case 'seen':
      return act.name === name ? `seen, trusts ${act.roots.length} ${act.roots.length === 1 ? 'root' : 'roots'}` : undefined
    case 'init':
    case 'server':
    case 'rotate':
    case 'retire':
      return undefined
    default:
      return act satisfies never
  }
}
