// Years of an authority in seconds: a host that renews every four weeks, issuers that are replaced by themselves, and roots by a person who reads the problems.

import { X509Certificate } from 'node:crypto'
import { spkiDigest } from '../../core/identity/bundle.ts'
import { revoke } from '../../pki/revocation.ts'
import { retire, rotateRoot, rotationStatus } from '../../pki/rotation.ts'
import { DAY_MS } from '../unit/pki/made.ts'
import { FROM, type MadeAuthority, makeRequest } from '../unit/pki/requests.ts'

const STEP_DAYS = 28
/** At every so many steps another host joins and is revoked. */
const STRANGER_STEPS = 7

export interface YearsStep {
  readonly day: number
  /** Of the host, leaf first. */
  readonly chain: readonly Buffer[]
  /** Trusted roots, as the host has them; both while a rotation is under way. */
  readonly roots: readonly X509Certificate[]
  /** Of a host that has just been revoked, where there is one. */
  readonly revoked: readonly Buffer[] | undefined
}

export interface Years {
  readonly issuers: number
  /** Days on which a root was made. */
  readonly newRoots: readonly number[]
  readonly renewals: number
}

function rootsOf(made: MadeAuthority): X509Certificate[] {
  return made.authority
    .bundle()
    .map((der) => new X509Certificate(der))
    .filter((one) => one.verify(one.publicKey))
}

async function revokedStranger(made: MadeAuthority, name: string): Promise<readonly Buffer[]> {
  const { chain } = await made.join(name)
  await made.authority.act((session) => revoke(session, name, 'keyCompromise'))
  return chain
}

/** @param verify is called at each step, with the authority's clock at that day */
export async function liveThrough(made: MadeAuthority, days: number, verify: (step: YearsStep) => void): Promise<Years> {
  const { authority } = made
  const start = made.nowMs
  const newRoots: number[] = []
  let { certificate, chain } = await made.join()
  let renewals = 0
  for (let day = STEP_DAYS; day <= days; day += STEP_DAYS) {
    made.nowMs = start + day * DAY_MS
    await authority.refreshRevocationLists()
    if (authority.problems().some(({ remedy }) => remedy.includes('rotate --root'))) {
      await authority.act((session) => rotateRoot(session, undefined))
      newRoots.push(day)
    }
    const answer = await authority.renew({ certificate, csr: await makeRequest(), from: FROM })
    if (answer.kind === 'refused') throw new Error(`day ${day}: ${answer.sentence}`)
    chain = answer.chain
    certificate = chain[0]!
    renewals++
    const revoked = renewals % STRANGER_STEPS === 0 ? await revokedStranger(made, `web${day}.example.com`) : undefined
    const roots = rootsOf(made)
    verify({ day, chain, roots, revoked })
    await authority.seen(
      certificate,
      roots.map((root) => spkiDigest(root)),
      FROM,
    )
    if (rotationStatus(authority.view()).old.length > 0) await authority.act((session) => retire(session, false))
  }
  return { issuers: authority.state.issuers.length, newRoots, renewals }
}
