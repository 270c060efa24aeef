// The keeper of a running daemon's identity, by a clock that the tests turn; its looks at the clock are real.

import * as fs from 'node:fs'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { createLog } from '../../../core/base/log.ts'
import { Metrics } from '../../../core/base/metrics.ts'
import { IdentityKeeper } from '../../../core/identity/keeper.ts'
import { eventually } from '../../support/eventually.ts'
import { DAY_MS, makeIssuer, makeLeaf, makeRoot, NOW, temporaryDirectory } from '../pki/made.ts'

// A short life is looked at five times a second; its alarms come at the same parts of it as those of 90 days.
const LIFE_MS = 24_000
const DAYS_90 = 90

const root = await makeRoot()
const issuer = await makeIssuer(root)

interface Kept {
  readonly keeper: IdentityKeeper
  readonly metrics: Metrics
  readonly said: string[]
  readonly start: number
  setMs(wallMs: number): void
}

async function keep(t: ExecutionContext, authority?: string): Promise<Kept> {
  const start = Math.floor(NOW / 1000) * 1000
  const leaf = await makeLeaf(issuer, { notBefore: new Date(start), notAfter: new Date(start + LIFE_MS) })
  const directory = temporaryDirectory(t)
  const files = { 'key.pem': leaf.keyPem, 'cert.pem': leaf.pem + issuer.certificatePem, 'ca.pem': root.certificatePem, authority }
  for (const [name, text] of Object.entries(files))
    if (text !== undefined) fs.writeFileSync(path.join(directory, name), text, { mode: 0o600 })
  let wallMs = start
  const said: string[] = []
  const log = createLog('info', 'text', (line) => said.push(line.trimEnd().replace(/^\S+ /, '')))
  const metrics = new Metrics()
  const clock = { wallUs: () => wallMs * 1000, monotonicMs: () => performance.now() }
  const events = { onIdentity: () => undefined, onRevoked: () => undefined }
  const keeper = new IdentityKeeper({ directory, authority: undefined, renew: true, listsEveryMs: 1000 }, events, log, metrics, clock)
  t.teardown(() => keeper.stop())
  keeper.start()
  const setMs = (ms: number): void => {
    wallMs = ms
  }
  return { keeper, metrics, said, start, setMs }
}

function level(kept: Kept): number {
  kept.keeper.status()
  return kept.metrics.get('identityAlarmLevel')
}

function saying(kept: Kept, pattern: RegExp): Promise<string> {
  return eventually(
    String(pattern),
    () => kept.said.find((line) => pattern.test(line)),
    () => kept.said.join('\n'),
  )
}

test('a certificate that nothing renews: told of at 30, 14, 7 and 1 days of ninety, and at its end; each once', async (t) => {
  const kept = await keep(t)
  const daysLeft = (days: number) => kept.setMs(kept.start + LIFE_MS * (1 - days / DAYS_90))
  t.deepEqual(kept.said, [])
  for (const [index, days] of [30, 14, 7, 1].entries()) {
    daysLeft(days + 0.1)
    t.is(level(kept), index)
    daysLeft(days - 0.1)
    t.is(level(kept), index + 1)
    await saying(kept, new RegExp(`^error identity-expires-soon: .* expires on .* alarm_level=${index + 1}$`))
  }
  daysLeft(-0.1)
  t.is(level(kept), 5)
  await saying(kept, /^error identity-expired: Identity \S+: the certificate of web01\.example\.com expired on \S+Z\. Issue a new identity/)
  t.deepEqual(
    kept.said.map((line) => /^error (\S+): .* alarm_level=(\d)$/.exec(line)!.slice(1).join(' ')),
    ['identity-expires-soon 1', 'identity-expires-soon 2', 'identity-expires-soon 3', 'identity-expires-soon 4', 'identity-expired 5'],
  )
})

test('a renewal that does not happen: overdue is told of, louder at 14, 7 and 1 days of ninety, with what hinders it', async (t) => {
  const kept = await keep(t, 'localhost:1\n')
  await saying(kept, /^warn renewal-failed: Cannot fetch the roots of the authority: Cannot reach the authority localhost:1: /)
  kept.setMs(kept.start + LIFE_MS * (2 / 3 + 1 / 20) - 100)
  await saying(kept, /^warn renewal-failed: Cannot renew the certificate: |^warn renewal-failed/)
  t.is(level(kept), 0)
  kept.setMs(kept.start + LIFE_MS * (2 / 3 + 1 / 20) + 100)
  t.is(level(kept), 1)
  for (const [index, days] of [14, 7, 1].entries()) {
    kept.setMs(kept.start + LIFE_MS * (1 - (days - 0.1) / DAYS_90))
    t.is(level(kept), index + 2)
    await saying(
      kept,
      new RegExp(`^error identity-renewal-overdue: .*The last attempt: Cannot reach the authority .* alarm_level=${index + 2}$`),
    )
  }
  kept.setMs(kept.start + LIFE_MS + 100)
  await saying(kept, /^error identity-expired: .*It is tried again by itself\. The last attempt: /)
  t.true(kept.metrics.get('identityRenewalsFailed') > 1)
})

test('the clock jumps a year ahead and back: noticed at the next look both ways, and attempts go on at once', async (t) => {
  const kept = await keep(t, 'localhost:1\n')
  await saying(kept, /renewal-failed/)
  const attempts = () => kept.metrics.get('identityRenewalsFailed')
  const before = attempts()
  kept.setMs(kept.start + 365 * DAY_MS)
  await saying(kept, /^error identity-expired: /)
  await eventually('an attempt with the clock ahead', () => attempts() > before)
  const ahead = attempts()
  kept.setMs(kept.start + 1000)
  t.deepEqual(
    kept.keeper.problems().filter(({ failing }) => failing),
    [],
  )
  t.is(level(kept), 0)
  // Not put off by a year.
  await eventually('an attempt with the clock right again', () => attempts() > ahead)
  // Before its time.
  kept.setMs(kept.start - 365 * DAY_MS)
  await saying(kept, /^error identity-not-yet-valid: .* is valid from \S+Z, the clock of this host says .*Set the clock of this host/)
})
