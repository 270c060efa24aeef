import { printable } from '../core/base/printable.ts'
import { formatSize } from '../core/base/quantities.ts'
import { GOOD_STATES } from '../core/daemon/status-sentence.ts'
import type { StatusDocument } from '../core/daemon/status-socket.ts'

interface Shown {
  readonly program: string
  readonly name: string
  readonly pid: number
  readonly uptime_seconds: number
  readonly certificate_valid_to: string
  readonly problems: readonly string[]
  readonly renewal?: {
    readonly authority: string
    readonly next: string
    readonly failures: number
    readonly failure: string
    readonly remedy: string
  }
  readonly revocation?: { readonly lists: number; readonly revoked: number; readonly age_seconds?: number; readonly failure: string }
  readonly sources?: readonly string[]
  readonly listeners?: readonly string[]
  readonly paused?: boolean
  readonly spool: { readonly directory: string; readonly used_bytes: number; readonly limit_bytes: number }
  readonly destinations: ReadonlyArray<Record<string, string | number>>
  readonly peers?: ReadonlyArray<{ name: string; address: string; speaks: string; messages: number; since: string }>
  readonly refused?: ReadonlyArray<{ time: string; text: string }>
  readonly loss?: Readonly<Record<string, number>>
  readonly metrics: Readonly<Record<string, number>>
}

const REFUSED_SHOWN = 3
const PEERS_SHOWN = 20

function identityLines({ renewal, revocation }: Shown): string[] {
  const lines: string[] = []
  if (renewal !== undefined && renewal.authority !== '') {
    const next = renewal.next === '' ? 'not by itself (renew: false)' : `next ${renewal.next}`
    lines.push(`renewal      ${next}, at ${printable(renewal.authority)}`)
    if (renewal.failure !== '')
      lines.push(`             failed ${renewal.failures} times: ${printable(renewal.failure, 1000)}. ${printable(renewal.remedy, 1000)}`)
  }
  if (revocation !== undefined && revocation.lists > 0) {
    const age = revocation.age_seconds ?? 0
    lines.push(`revocation   ${revocation.lists} lists, ${revocation.revoked} certificates, the oldest list is ${age} s old`)
  }
  if (revocation !== undefined && revocation.failure !== '')
    lines.push(`             last fetch failed: ${printable(revocation.failure, 1000)}`)
  return lines
}

/** The connections that were refused last, oldest first, each with what to do about it. */
export function refusedLines(document: StatusDocument): string[] {
  const { refused = [] } = document as unknown as Shown
  if (refused.length === 0) return ['no connection has been refused since the start']
  return refused.map(({ time, text }) => `${time}  ${printable(text, 2000)}`)
}

/** The status for a person, and whether all is well. */
export function statusLines(document: StatusDocument): { lines: string[]; isGood: boolean } {
  const status = document as unknown as Shown
  const percent = Math.round((status.spool.used_bytes / status.spool.limit_bytes) * 100)
  const lines = [
    `${status.program} ${status.name}, process ${status.pid}, up ${status.uptime_seconds} s, certificate valid to ${status.certificate_valid_to.slice(0, 10)}`,
    ...identityLines(status),
    ...(status.sources ?? []).map((source) => `source       ${source}`),
    ...(status.listeners ?? []).map(
      (listener) => `listener     ${listener}${status.paused === true ? '  PAUSED: the spool is at its limit' : ''}`,
    ),
    `spool        ${status.spool.directory}: ${formatSize(status.spool.used_bytes)} of ${formatSize(status.spool.limit_bytes)} (${percent} %)`,
  ]
  let isGood = status.problems.length === 0 && status.paused !== true
  for (const destination of status.destinations) {
    const state = String(destination['state'])
    isGood &&= GOOD_STATES.includes(state)
    const suppressed = Number(destination['suppressed'] ?? 0)
    lines.push(
      `destination  ${destination['kind']} ${destination['relay'] ?? destination['path']}: ${state}, ${formatSize(Number(destination['lag_bytes']))} behind${suppressed > 0 ? `, ${suppressed} suppressed` : ''}${destination['guarantee'] ? `, ${destination['guarantee']}` : ''}${destination['trouble'] ? ` (${printable(String(destination['trouble']))})` : ''}`,
    )
  }
  for (const peer of (status.peers ?? []).slice(0, PEERS_SHOWN))
    lines.push(`peer         ${peer.name} from ${peer.address}, ${peer.speaks}, ${peer.messages} messages since ${peer.since}`)
  for (const refused of (status.refused ?? []).slice(-REFUSED_SHOWN))
    lines.push(`refused      ${refused.time} ${printable(refused.text, 1000)}`)
  for (const [name, value] of Object.entries(status.metrics)) if (value > 0) lines.push(`count        ${name} ${value}`)
  for (const [reason, count] of Object.entries(status.loss ?? {})) {
    isGood = false
    lines.push(`LOST         ${count} messages: ${reason}`)
  }
  for (const problem of status.problems) lines.push(`PROBLEM      ${problem}`)
  return { lines, isGood }
}
