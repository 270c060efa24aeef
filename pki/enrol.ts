// Decides on what strangers ask for: enrolment with a secret, renewal with a proved key. Every refusal is before anything is signed.

import { createHash, timingSafeEqual } from 'node:crypto'
import { printable } from '../core/base/printable.ts'
import { dayOf, type Role } from '../core/transport/certificate.ts'
import { matchesName, normaliseName } from '../core/transport/names.ts'
import type { ActSession } from './act-session.ts'
import { behindLeaf, bundleRoots, signingIssuer } from './chains.ts'
import { beyond, readSigningRequest, type SigningRequest } from './csr.ts'
import { secretDigest } from './invitations.ts'
import { type IssueOrder, planLeaf } from './policy.ts'
import { GRACE_MS } from './revocation.ts'
import type { EnrolAnswer, EnrolRequest, RenewRequest } from './service.ts'
import { signPlan } from './signing.ts'
import { type Invitation, type Issued, inviteCommand, type State } from './state.ts'

/** Ends a decision; becomes the answer, and a line of the journal. */
export class Refusal extends Error {
  readonly status: 400 | 401 | 403 | 429
  readonly remedy: string
  readonly retryAfterSeconds: number | undefined

  constructor(status: 400 | 401 | 403 | 429, sentence: string, remedy: string, retryAfterSeconds?: number) {
    super(sentence)
    this.status = status
    this.remedy = remedy
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** Ours: one and a half are due in a life; a host whose answers are all lost asks up to 25 times. */
const RENEWALS_PER_LIFE = 60

/** The same work whether or not there is one, so that time tells nothing. */
function invitationOf(state: State, secret: string): Invitation | undefined {
  const wanted = Buffer.from(secretDigest(secret), 'hex')
  let found: Invitation | undefined
  for (const invitation of state.invitations.values()) {
    if (timingSafeEqual(wanted, Buffer.from(invitation.secret, 'hex'))) found = invitation
  }
  return found
}

async function readRequest(csr: Buffer): Promise<SigningRequest> {
  const result = await readSigningRequest(csr)
  if (result.kind === 'ok') return result.request
  throw new Refusal(400, `Cannot use the signing request: ${result.reason}`, 'Make a new key (EC P-256) and a new request')
}

function checkKey(state: State, request: SigningRequest, name: string): void {
  for (const serial of state.byKey.get(request.spki) ?? []) {
    const issued = state.certificates.get(serial)!
    if (issued.revoked !== undefined) {
      throw new Refusal(
        403,
        `Cannot issue a certificate for ${name}: its key was revoked on ${dayOf(new Date(issued.revoked.at))}`,
        'Make a new key',
      )
    }
    if (issued.name !== name || issued.role === 'authority') {
      throw new Refusal(
        403,
        `Cannot issue a certificate for ${name}: its key belongs to ${issued.name} already`,
        'Make a key for this host alone',
      )
    }
  }
}

function checkNotBanned(state: State, name: string): void {
  const banned = state.hosts.get(name)?.banned
  if (banned === undefined) return
  const sentence = `Cannot issue a certificate for ${name}: it was revoked on ${dayOf(new Date(banned.at))}`
  throw new Refusal(403, sentence, `If it may come back, run where the authority is: loghop pki reset ${name}, then invite it again`)
}

/** Checks what the request asks for, then signs; the journal line makes it true. */
async function issue(session: ActSession, request: SigningRequest, order: IssueOrder, via: string, by: string): Promise<Issued> {
  const { state, directory, nowMs } = session
  const plan = planLeaf(order, { validTo: directory.issuer(signingIssuer(session)).validToDate }, nowMs)
  const extra = beyond(request.asks, plan)
  if (extra !== undefined) {
    const sentence = `Cannot issue a certificate for ${plan.name}: the request asks for more than is allowed, ${extra}`
    throw new Refusal(403, sentence, 'Ask for less, or invite the host with what it needs (--san, --role)')
  }
  const { act } = await signPlan(session, plan, request.publicKey, { via, bundle: bundleRoots(state, directory) })
  session.append(act, by)
  return state.certificates.get(act.serial)!
}

function answer({ state, directory }: ActSession, issued: Issued): EnrolAnswer {
  const chain = [Buffer.from(issued.certificate, 'base64'), ...behindLeaf(state, directory, issued.issuer).map(({ raw }) => raw)]
  return { kind: 'issued', name: issued.name, chain }
}

function checkInvitation(state: State, invitation: Invitation | undefined, name: string, nowMs: number): Invitation {
  if (invitation === undefined) {
    throw new Refusal(
      401,
      `Cannot enrol ${name}: the secret is not that of any invitation`,
      'Copy the token again; if it is old, make a new invitation',
    )
  }
  const again = `Make a new invitation: ${inviteCommand(state, name)}`
  if (!matchesName(invitation.name, name)) {
    throw new Refusal(403, `Cannot enrol ${name}: the invitation is for ${invitation.name}`, again)
  }
  if (invitation.isVoid) {
    const found =
      invitation.name === name ? 'it was revoked after it had been invited' : `the invitation for ${invitation.name} was revoked`
    throw new Refusal(403, `Cannot enrol ${name}: ${found}`, again)
  }
  if (Date.parse(invitation.expires) <= nowMs) {
    throw new Refusal(403, `Cannot enrol ${name}: the invitation expired on ${dayOf(new Date(invitation.expires))}`, again)
  }
  return invitation
}

/** A lost answer strands nobody: the same key and name get the same certificate again. */
function earlier(state: State, invitation: Invitation, request: SigningRequest, name: string): Issued | undefined {
  const all = invitation.issued.map((serial) => state.certificates.get(serial)!)
  return all.find((issued) => issued.spki === request.spki && issued.name === name)
}

function checkUses(state: State, invitation: Invitation, request: SigningRequest, name: string): void {
  const all = invitation.issued.map((serial) => state.certificates.get(serial)!)
  // With --rsa a host has a certificate of each kind of key.
  const used = invitation.rsa ? all.filter(({ keyKind }) => keyKind === request.keyKind) : all
  if (used.length < invitation.uses) return
  const first = used[0]!
  const sentence = `Cannot enrol ${name}: the invitation was used on ${dayOf(new Date(first.at))} by ${printable(first.by)}, with another key`
  throw new Refusal(
    403,
    sentence,
    `If that was not you: loghop pki revoke ${first.name}. Make a new invitation: ${inviteCommand(state, name)}`,
  )
}

/** Who has a certificate with that name in it, be it an alias, that works or can still be renewed; the authority's own server as well. */
function holderOf(state: State, name: string, nowMs: number): Issued[] {
  const isUsable = (issued: Issued) => issued.revoked === undefined && Date.parse(issued.notAfter) + GRACE_MS > nowMs
  return [...state.certificates.values()].filter((issued) => (issued.name === name || issued.san.includes(name)) && isUsable(issued))
}

/** A secret that many know must not put one host in the place of another that is there, or may come back. */
function checkFree(state: State, invitation: Invitation, request: SigningRequest, name: string, nowMs: number): void {
  if (invitation.name === name) return
  const others = holderOf(state, name, nowMs).filter((issued) => issued.name !== name || issued.spki !== request.spki)
  // With --rsa a host has a certificate of each kind of key.
  const holder = others.find((issued) => issued.name !== name || !invitation.rsa || issued.keyKind === request.keyKind)
  if (holder === undefined) return
  const found =
    holder.name === name && holder.role !== 'authority' ? 'it has a certificate' : `the certificate of ${holder.name} has that name`
  const sentence = `Cannot enrol ${name}: ${found}, and an invitation for ${invitation.name} replaces none`
  throw new Refusal(403, sentence, `Invite it by its own name: ${inviteCommand(state, name)}`)
}

/** @throws {Refusal} @throws {LoghopError} PKI_* when the authority itself cannot */
export async function enrol(session: ActSession, asked: EnrolRequest): Promise<EnrolAnswer> {
  const { state, nowMs } = session
  const name = normaliseName(asked.name)
  if (name === undefined)
    throw new Refusal(400, `Cannot enrol "${printable(asked.name, 80)}": it is no host name`, 'Give the full name of the host')
  const invitation = checkInvitation(state, invitationOf(state, asked.secret), name, nowMs)
  checkNotBanned(state, name)
  const request = await readRequest(asked.csr)
  checkKey(state, request, name)
  const before = earlier(state, invitation, request, name)
  if (before !== undefined) return answer(session, before)
  checkUses(state, invitation, request, name)
  checkFree(state, invitation, request, name, nowMs)
  const { role, san, speaksFor, lifeSeconds } = invitation
  const order = { name, role, san, speaksFor, lifeMs: lifeSeconds * 1000 }
  return answer(session, await issue(session, request, order, `invitation ${invitation.id}`, `${name}@${asked.from}`))
}

/** The line that issued this very certificate. */
export function issuedAs(state: State, certificate: Buffer): Issued | undefined {
  const serial = state.byDigest.get(createHash('sha256').update(certificate).digest('hex'))
  return serial === undefined ? undefined : state.certificates.get(serial)
}

/** Each is kept for ever: one host that is not what it was must not fill the authority's disk and memory. */
function checkPace(state: State, { name, lifeSeconds }: Issued, nowMs: number): void {
  const serial = state.hosts.get(name)?.serials.at(-RENEWALS_PER_LIFE)
  const sinceMs = serial === undefined ? Number.POSITIVE_INFINITY : nowMs - Date.parse(state.certificates.get(serial)!.at)
  // A negative time: the clock was ahead.
  if (sinceMs < 0 || sinceMs >= lifeSeconds * 1000) return
  const waitSeconds = Math.max(1, Math.ceil(lifeSeconds / RENEWALS_PER_LIFE))
  const sentence = `Cannot renew the certificate of ${name}: it got ${RENEWALS_PER_LIFE} within the life of one`
  throw new Refusal(429, sentence, 'Find out on that host what renews so often; if it is a stranger, revoke the host', waitSeconds)
}

/** @throws {Refusal} @throws {LoghopError} PKI_* when the authority itself cannot */
export async function renew(session: ActSession, asked: RenewRequest): Promise<EnrolAnswer> {
  const { state, nowMs } = session
  const old = issuedAs(state, asked.certificate)
  if (old === undefined || old.role === 'authority') {
    throw new Refusal(403, 'Cannot renew: the client certificate is none that this authority has issued to a host', 'Join the host again')
  }
  const { name } = old
  if (old.revoked !== undefined) {
    const sentence = `Cannot renew the certificate of ${name}: it was revoked on ${dayOf(new Date(old.revoked.at))}`
    throw new Refusal(403, sentence, 'Ask those who run the authority; the host can join again after "loghop pki reset"')
  }
  checkNotBanned(state, name)
  const end = Date.parse(old.notAfter)
  if (end + GRACE_MS <= nowMs) {
    const sentence = `Cannot renew the certificate of ${name}: it expired on ${dayOf(new Date(end))}, and the 30 days of grace are over`
    throw new Refusal(403, sentence, `Invite the host again: ${inviteCommand(state, name)}`)
  }
  checkPace(state, old, nowMs)
  const request = await readRequest(asked.csr)
  checkKey(state, request, name)
  const order = { name, role: old.role as Role, san: old.san, speaksFor: old.speaksFor, lifeMs: old.lifeSeconds * 1000 }
  return answer(session, await issue(session, request, order, `renewal ${old.serial}`, `${name}@${asked.from}`))
}

/** For the journal: whom a refusal is about, as far as it is known. */
export function refusedName(text: string): string {
  return normaliseName(text) ?? printable(text, 80)
}
