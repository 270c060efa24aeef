// The whole promise at once: certificates that end in seconds, and under a steady load renewals, a new issuer, a new root, the end of the old one, and
// revocations. What was sent stands in the files once and in order; who is revoked is out within seconds and keeps what it has.

import * as fs from 'node:fs'
import test from 'ava'
import type { RotationStatus } from '../../pki/rotation.ts'
import { effort } from '../support/effort.ts'
import { eventually } from '../support/eventually.ts'
import { disorder, everyNumber, missing, total } from '../support/numbered.ts'
import { HOSTS, nameOf, TrustedHosts } from '../support/trusted-hosts.ts'

const RATE = 2000
const OTHER_RATE = 200
/** From the authority's act. The lists are asked for each second here; the rest is the room of a loaded machine. */
const CUT_WITHIN_MS = 30_000

/** Troubles that no trust may cause. On a machine that stands still for seconds a certificate of 20 s may be over for a moment: that is no broken chain. */
function brokenTrust(hosts: TrustedHosts): string[] {
  const troubles = / (?:relay-failed|peer-refused|peer-cut|identity-kept|renewal-failed|lists-failed): /
  return HOSTS.flatMap((host) => {
    const { lines } = hosts.daemon(host)
    return lines.filter((line) => troubles.test(line) && !line.includes('expired')).map((line) => `${host}: ${line}`)
  })
}

test.serial(
  'renewals, new issuer, new root, the end of the old one, and revocations, all under load: once, in order, nothing lost',
  async (t) => {
    const startedMs = performance.now()
    const rounds = effort({ quick: 2, ci: 5, long: 20 })
    t.timeout(360_000 + rounds * 40_000)
    const hosts = await TrustedHosts.start(t, '20s')
    const first = hosts.send('web01', RATE)
    const second = hosts.send('web02', OTHER_RATE)
    await hosts.renewed(rounds - 2)

    t.regex(await hosts.pki('rotate', '--issuer'), /^Made issuer 2/)
    if (rounds > 2) await hosts.renewed(1, hosts.counted())
    t.regex(await hosts.pki('rotate', '--root'), /^Made root 2/)
    const oldRoot = hosts.roots('web01')
    await eventually(
      'every host to have been seen over',
      async () => (JSON.parse(await hosts.pki('rotate', '--status', '--json')) as RotationStatus).missing.length === 0,
      () => hosts.said,
    )
    t.regex(await hosts.pki('rotate', '--status'), /4 of 4 live hosts are over\.\nNext: loghop pki rotate --directory \S+ --retire/)
    t.regex(await hosts.pki('rotate', '--retire'), /^Retired root 1: [^\n]*\n$/, 'somebody was cut off')
    await eventually(
      'the old root to be gone everywhere',
      () => HOSTS.every((host) => hosts.roots(host).length === 1 && hosts.roots(host)[0] !== oldRoot[0]),
      () => hosts.said,
    )
    await hosts.renewed(rounds)
    const renewals = HOSTS.map((host) => hosts.renewals(host))
    t.deepEqual(brokenTrust(hosts), [])

    // An agent is revoked while it sends: out within seconds, and it keeps everything.
    const marks = { site: hosts.daemon('site').mark, central: hosts.daemon('central').mark, web01: hosts.daemon('web01').mark }
    await hosts.pki('revoke', nameOf('web01'), '--reason', 'keyCompromise')
    t.regex(
      await hosts.daemon('site').event('peer-cut', marks.site),
      /Cut the connection of web01\.example\.com .*: its certificate was revoked on 20/,
    )
    const cutMs = hosts.cutAfterMs('site', 'web01')
    t.true(cutMs < CUT_WITHIN_MS, `cut after ${cutMs} ms`)
    t.regex(await hosts.daemon('web01').event('relay-failed', marks.web01), /refuses our certificate: revoked/)
    const reached = total(hosts.filed('central', 'web01'))
    const other = total(hosts.filed('central', 'web02'))
    await hosts.filedAll('central', 'web02', other + 3 * OTHER_RATE)
    t.false(
      hosts
        .daemon('site')
        .lines.slice(marks.site)
        .some((line) => /peer-(?:cut|refused): .*web02/.test(line)),
    )
    first.stop()
    const wanted = everyNumber((await first.done).map(({ sent }) => sent))
    const arrived = hosts.filed('central', 'web01')
    t.true(total(wanted) - total(arrived) > RATE, 'what is sent now does not arrive')
    t.true(total(arrived) - reached < 2 * RATE, 'what was under way, and no more')

    // Then its site's relay: central cuts it, the agents leave it, what is sent waits.
    await hosts.pki('revoke', nameOf('site'))
    t.regex(await hosts.daemon('central').event('peer-cut', marks.central), /Cut the connection of site\.example\.com/)
    const siteCutMs = hosts.cutAfterMs('central', 'site')
    t.true(siteCutMs < CUT_WITHIN_MS, `cut after ${siteCutMs} ms`)
    await hosts.daemon('site').event('relay-failed', marks.site)
    await hosts.daemon('web02').event('relay-failed')
    const held = total(hosts.filed('central', 'web02'))

    // Both may come back, with new keys: what has waited arrives.
    const before = { site: hosts.identity('site').facts.publicKeySha256, web01: hosts.identity('web01').facts.publicKeySha256 }
    for (const host of ['site', 'web01'] as const) {
      await hosts.pki('reset', nameOf(host))
      await hosts.join(host)
      hosts.daemon(host).signal('SIGHUP')
      t.not(hosts.identity(host).facts.publicKeySha256, before[host])
    }
    await hosts.filedAll('central', 'web02', held + OTHER_RATE)
    second.stop()
    const wantedOther = everyNumber((await second.done).map(({ sent }) => sent))
    for (const [agent, all] of [
      ['web01', wanted],
      ['web02', wantedOther],
    ] as const)
      for (const relay of ['site', 'central'] as const) {
        await hosts.filedAll(relay, agent, total(all))
        const filed = hosts.filed(relay, agent)
        t.is(disorder(filed), undefined, `${agent} at ${relay}: a line is doubled or out of order`)
        t.is(missing(all, filed), undefined, `${agent} at ${relay}: a message was lost`)
        t.is(total(filed), total(all), `${agent} at ${relay}`)
        t.is(fs.readFileSync(hosts.file(relay, agent), 'latin1').split('\n').length - 1, total(all), 'a line of another kind')
      }
    t.log(
      `${total(wanted)} + ${total(wantedOther)} messages once and in order at both relays; renewals ${HOSTS.map((host, index) => `${host} ${renewals[index]}`).join(', ')}; ` +
        `agent cut after ${Math.round(cutMs)} ms, site relay after ${Math.round(siteCutMs)} ms; ${Math.round((performance.now() - startedMs) / 1000)} s in all`,
    )
  },
)
