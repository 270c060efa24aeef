// The lines of the journal, one type for each act; sense of each: FORMAT.md.

import type { Role } from '../core/transport/certificate.ts'

/** `authority`: the certificate of `pki serve` itself, which can do nothing but be dialled. */
export type IssuedRole = Role | 'authority'

interface Common {
  /** ISO 8601, UTC. */
  readonly at: string
  readonly by: string
}

export interface InitAct extends Common {
  readonly act: 'init'
  readonly name: string
  readonly root: number
  readonly issuer: number
}

export interface ServerAct extends Common {
  readonly act: 'server'
  readonly address: string
}

export interface InviteAct extends Common {
  readonly act: 'invite'
  readonly id: string
  readonly name: string
  readonly role: Role
  readonly speaksFor: readonly string[]
  readonly san: readonly string[]
  readonly rsa: boolean
  readonly lifeSeconds: number
  readonly uses: number
  readonly expires: string
  /** SHA-256 of the secret, hex. */
  readonly secret: string
}

export interface IssueAct extends Common {
  readonly act: 'issue'
  /** Upper-case hex. */
  readonly serial: string
  readonly name: string
  readonly role: IssuedRole
  readonly speaksFor: readonly string[]
  readonly san: readonly string[]
  readonly issuer: number
  readonly notBefore: string
  readonly notAfter: string
  /** What was asked for; the certificate may be shorter when its issuer ends sooner. */
  readonly lifeSeconds: number
  /** SHA-256 of the certificate and of its public key, lower-case hex. */
  readonly sha256: string
  readonly spki: string
  readonly keyKind: 'EC' | 'RSA'
  /** DER, base64. */
  readonly certificate: string
  /** `command`, `serve`, `invitation ID` or `renewal SERIAL`. */
  readonly via: string
  /** The roots (SHA-256 of SPKI, hex) that were handed out in the same directory. */
  readonly bundle: readonly string[]
}

export interface RefuseAct extends Common {
  readonly act: 'refuse'
  readonly name: string
  readonly reason: string
  readonly invitation?: string
}

export interface RevokeAct extends Common {
  readonly act: 'revoke'
  readonly serials: readonly string[]
  readonly name: string
  readonly reason: RevocationReason
}

export interface ResetAct extends Common {
  readonly act: 'reset'
  readonly name: string
}

export interface SeenAct extends Common {
  readonly act: 'seen'
  readonly name: string
  readonly serial: string
  readonly roots: readonly string[]
}

export interface RotateAct extends Common {
  readonly act: 'rotate'
  /** Only when the root changes; the issuer is then below it. */
  readonly root?: number
  readonly issuer: number
  readonly cross: boolean
}

export interface RetireAct extends Common {
  readonly act: 'retire'
  readonly root: number
}

export type Act = InitAct | ServerAct | InviteAct | IssueAct | RefuseAct | RevokeAct | ResetAct | SeenAct | RotateAct | RetireAct

/** An act as it is decided, before the journal says when and by whom. */
export type NewAct = Act extends infer One ? (One extends Act ? Omit<One, 'at' | 'by'> : never) : never

/** RFC 5280 section 5.3.1, those that a person would give. */
export const REVOCATION_REASONS = [
  'unspecified',
  'keyCompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'privilegeWithdrawn',
] as const
export type RevocationReason = (typeof REVOCATION_REASONS)[number]
