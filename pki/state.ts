// What the journal's lines make, read from the first. Pure.

import type { Act, InviteAct, IssueAct, RevocationReason, RevokeAct, SeenAct } from './acts.ts'

export interface Issued extends IssueAct {
  /** Undefined while it is not revoked. */
  readonly revoked: { readonly at: string; readonly reason: RevocationReason } | undefined
}

export interface Invitation extends InviteAct {
  /** What was issued by it, in order. */
  readonly issued: readonly string[]
  /** Its name was revoked after it was made: it is void for ever. */
  readonly isVoid: boolean
}

export interface Host {
  readonly name: string
  /** Serials, oldest first. */
  readonly serials: readonly string[]
  readonly banned: { readonly at: string; readonly reason: RevocationReason } | undefined
  readonly seen: SeenAct | undefined
}

export interface RootState {
  readonly number: number
  /** Signed by the root before it as well. */
  readonly cross: boolean
  readonly retired: boolean
}

export interface IssuerState {
  readonly number: number
  readonly root: number
}

/** Changed by `apply` alone. */
export interface State {
  readonly name: string
  readonly address: string | undefined
  /** Oldest first. */
  readonly roots: readonly RootState[]
  readonly issuers: readonly IssuerState[]
  /** By id. */
  readonly invitations: ReadonlyMap<string, Invitation>
  /** By serial, in the order of issue. */
  readonly certificates: ReadonlyMap<string, Issued>
  /** Serial by SHA-256 of the certificate. */
  readonly byDigest: ReadonlyMap<string, string>
  /** Serials by SHA-256 of the public key. */
  readonly byKey: ReadonlyMap<string, readonly string[]>
  /** By name. The authority's own server is none. */
  readonly hosts: ReadonlyMap<string, Host>
}

type Mutable = {
  -readonly [Key in keyof State]: State[Key] extends ReadonlyMap<infer K, infer V>
    ? Map<K, V>
    : State[Key] extends readonly (infer One)[]
      ? One[]
      : State[Key]
}

export class StateBuilder {
  #state: Mutable = empty()

  get state(): State {
    return this.#state
  }

  reset(): void {
    this.#state = empty()
  }

  apply(act: Act): void {
    const state = this.#state
    switch (act.act) {
      case 'init':
        state.name = act.name
        state.roots.push({ number: act.root, cross: false, retired: false })
        state.issuers.push({ number: act.issuer, root: act.root })
        return
      case 'server':
        state.address = act.address
        return
      case 'invite':
        state.invitations.set(act.id, { ...act, issued: [], isVoid: false })
        return
      case 'issue':
        this.#issue(act)
        return
      case 'revoke':
        this.#revoke(act)
        return
      case 'reset':
        this.#host(act.name, { banned: undefined })
        return
      case 'seen':
        this.#host(act.name, { seen: act })
        return
      case 'rotate':
        if (act.root !== undefined) state.roots.push({ number: act.root, cross: act.cross, retired: false })
        state.issuers.push({ number: act.issuer, root: act.root ?? state.roots.at(-1)!.number })
        return
      case 'retire':
        state.roots = state.roots.map((root) => (root.number === act.root ? { ...root, retired: true } : root))
        return
      case 'refuse':
        return
      default:
        act satisfies never
    }
  }

  #host(name: string, change: Partial<Host>): void {
    const { hosts } = this.#state
    hosts.set(name, { ...(hosts.get(name) ?? { name, serials: [], banned: undefined, seen: undefined }), ...change })
  }

  #issue(act: IssueAct): void {
    const state = this.#state
    state.certificates.set(act.serial, { ...act, revoked: undefined })
    state.byDigest.set(act.sha256, act.serial)
    state.byKey.set(act.spki, [...(state.byKey.get(act.spki) ?? []), act.serial])
    if (act.role !== 'authority') this.#host(act.name, { serials: [...(state.hosts.get(act.name)?.serials ?? []), act.serial] })
    const id = /^invitation (.+)$/.exec(act.via)?.[1]
    const invitation = id === undefined ? undefined : state.invitations.get(id)
    if (invitation !== undefined) state.invitations.set(invitation.id, { ...invitation, issued: [...invitation.issued, act.serial] })
  }

  #revoke(act: RevokeAct): void {
    const state = this.#state
    const revoked = { at: act.at, reason: act.reason }
    for (const serial of act.serials) {
      const issued = state.certificates.get(serial)
      if (issued !== undefined) state.certificates.set(serial, { ...issued, revoked })
    }
    // The authority's own server may have the name of a host, and comes back with a new key.
    if (act.serials.some((serial) => state.certificates.get(serial)?.role === 'authority')) return
    this.#host(act.name, { banned: revoked })
    for (const invitation of state.invitations.values()) {
      if (invitation.name === act.name) state.invitations.set(invitation.id, { ...invitation, isVoid: true })
    }
  }
}

function empty(): Mutable {
  return {
    name: '',
    address: undefined,
    roots: [],
    issuers: [],
    invitations: new Map(),
    certificates: new Map(),
    byDigest: new Map(),
    byKey: new Map(),
    hosts: new Map(),
  }
}

export function newestRoot(state: State): RootState {
  return state.roots.at(-1)!
}

export function newestIssuer(state: State): IssuerState {
  return state.issuers.at(-1)!
}

/** Newest first. */
export function liveRoots(state: State): RootState[] {
  return state.roots.filter(({ retired }) => !retired).reverse()
}

/** Those below a root that is not retired, newest first. */
export function liveIssuers(state: State): IssuerState[] {
  const roots = new Set(liveRoots(state).map(({ number }) => number))
  return state.issuers.filter(({ root }) => roots.has(root)).reverse()
}

/**
 * Roots whose cross certificate belongs into a chain that ends at `root`, newest first: each leads one generation back, as far as a root is not retired.
 */
export function crossesBelow(state: State, root: number): number[] {
  const crosses: number[] = []
  for (let index = state.roots.findIndex(({ number }) => number === root); index > 0; index--) {
    if (!state.roots[index]!.cross || state.roots[index - 1]!.retired) break
    crosses.push(state.roots[index]!.number)
  }
  return crosses
}

/** The command that invites a name, in the role that it has had before. */
export function inviteCommand(state: State, name: string): string {
  const last = certificatesOf(state, name).at(-1) ?? [...state.invitations.values()].findLast((one) => one.name === name)
  const word = name.includes('*') ? `'${name}' --uses N` : name
  return `loghop pki invite ${word} --role ${last?.role ?? 'ROLE'}`
}

/** All certificates of a host, oldest first. */
export function certificatesOf(state: State, name: string): Issued[] {
  return (state.hosts.get(name)?.serials ?? []).map((serial) => state.certificates.get(serial)!)
}

export function isLive(issued: Issued, nowMs: number): boolean {
  return issued.revoked === undefined && Date.parse(issued.notAfter) > nowMs
}
