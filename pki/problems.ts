import { dayOf } from '../core/transport/certificate.ts'
import type { ActSession } from './act-session.ts'
import { signingIssuer } from './chains.ts'
import { rootKeyFile } from './directory.ts'
import { DAY_MS, ISSUER_DAYS } from './policy.ts'
import { LIST_RENEW_MS, staleLists } from './revocation.ts'
import type { AuthorityProblem } from './service.ts'
import { newestRoot } from './state.ts'

type View = Pick<ActSession, 'state' | 'directory' | 'nowMs'>

/** Whether the issuer that signs has a third of its life left, or less, and another one would last longer: none outlives the root. */
export function isIssuerDue(view: View): boolean {
  const { state, directory, nowMs } = view
  const { validFromDate, validToDate } = directory.issuer(signingIssuer(view))
  if (validToDate >= directory.root(newestRoot(state).number).validToDate) return false
  return validToDate.getTime() - nowMs <= (validToDate.getTime() - validFromDate.getTime()) / 3
}

function endText(end: Date, nowMs: number): string {
  return `${end.getTime() <= nowMs ? 'expired' : 'expires'} on ${dayOf(end)}`
}

function issuerProblem(view: View): AuthorityProblem | undefined {
  const { state, directory, nowMs } = view
  if (!isIssuerDue(view)) return undefined
  const root = newestRoot(state).number
  const keyState = directory.rootKeyState(root)
  // Whoever refreshes the lists makes a new one.
  if (keyState === 'plain') return undefined
  const why = keyState === 'absent' ? `${rootKeyFile(root)} is not here` : `${rootKeyFile(root)} is encrypted`
  return {
    sentence: `The issuing certificate ${endText(directory.issuer(signingIssuer(view)).validToDate, nowMs)}, and no new one can be made by itself: ${why}`,
    remedy: 'Run with the key of the root at hand: loghop pki rotate --issuer',
  }
}

function rootProblem({ state, directory, nowMs }: View): AuthorityProblem | undefined {
  const end = directory.root(newestRoot(state).number).validToDate
  // An issuer below it would be cut short.
  if (end.getTime() - nowMs > (ISSUER_DAYS + 30) * DAY_MS) return undefined
  return { sentence: `The root certificate ${endText(end, nowMs)}`, remedy: 'Make a new one in time: loghop pki rotate --root' }
}

function listProblems(view: View): AuthorityProblem[] {
  return staleLists(view).map(({ issuer, nextUpdate }) => ({
    sentence:
      nextUpdate === undefined
        ? `There is no revocation list of issuer ${issuer}`
        : `The revocation list of issuer ${issuer} has not been made anew for days: it ${endText(nextUpdate, view.nowMs)}`,
    remedy: `Run: loghop pki crl; "loghop pki serve" makes it every ${LIST_RENEW_MS / 60_000} minutes`,
  }))
}

/** Issuer and root near their end, and revocation lists that nothing makes anew. Empty when all is well. */
export function authorityProblems(view: View): AuthorityProblem[] {
  return [issuerProblem(view), rootProblem(view)].filter((problem) => problem !== undefined).concat(listProblems(view))
}
