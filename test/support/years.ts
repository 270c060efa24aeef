// Years of an authority in seconds: a host that renews every twenty days, issuers that are replaced by themselves, and roots by a person who reads the problems.

import { X509Certificate } from 'node:crypto'
import { spkiOf } from '../../pki/directory.ts'
import { revoke } from '../../pki/revocation.ts'
import { retire, rotateRoot, rotationStatus } from '../../pki/rotation.ts'
import { DAY_MS } from '../unit/pki/made.ts'
import { FROM, type MadeAuthority, makeRequest } from '../unit/pki/requests.ts'

const STEP_DAYS = 20

export interface YearsStep {
  readonly day: number
  /** Of the host, leaf first. */
  readonly chain: readonly Buffer[]
  /** Trusted roots, as the host has them; both while a rotation is under way. */
  readonly roots: readonly X509Certificate[]
  /** Of a host that was revoked at the last step; its certificate has not expired yet. */
  readonly revoked: readonly Buffer[]
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
    const other = `web${day}.example.com`
    const stranger = await made.join(other)
    await authority.act((session) => revoke(session, other, 'keyCompromise'))
    const roots = rootsOf(made)
    verify({ day, chain, roots, revoked: stranger.chain })
    await authority.seen(
      certificate,
      roots.map((root) => spkiOf(root)),
      FROM,
    )
    if (rotationStatus(authority.view()).old.length > 0) await authority.act((session) => retire(session, false))
  }
  return { issuers: authority.state.issuers.length, newRoots, renewals }
}
