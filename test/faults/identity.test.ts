// Processes that join and renew are killed at random moments: the identity directory always holds one that loads, nothing is lost with them, and the authority
// has issued no more than it said.

import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { loadIdentity } from '../../core/identity/identity.ts'
import { Authority } from '../../pki/authority.ts'
import { historyOf } from '../../pki/history.ts'
import { AGENT_NAME } from '../support/chain.ts'
import { Daemon, ENTRY, loghop, watched } from '../support/daemon.ts'
import { effort } from '../support/effort.ts'
import { eventually } from '../support/eventually.ts'
import { Site } from '../support/site.ts'

const KILLS = effort({ quick: 20, ci: 60, long: 1000 })
const KILLS_PER_TOKEN = 4

/** The chain of digests holds, and no serial stands in it twice. @returns how many certificates hosts have got */
function issuedToHosts(site: Site): number {
  const { state } = Authority.open(site.est.authority, { by: 'test' })
  const acts = historyOf(site.est.authority).filter((act) => act.act === 'issue')
  if (new Set(acts.map((act) => act.serial)).size !== acts.length) throw new Error('A serial was used twice')
  return [...state.certificates.values()].filter(({ role }) => role !== 'authority').length
}

/** As in the directory, or none when nothing has been installed. @throws when what is there does not load, or its key and certificate do not belong together */
function installed(directory: string): string | undefined {
  const isThere = ['next/cert.pem', 'cert.pem'].some((name) => fs.existsSync(path.join(directory, name)))
  return isThere ? loadIdentity(directory).facts.serial : undefined
}

test.serial('agent join, killed again and again: no invitation is lost, and none gives two certificates', async (t) => {
  t.timeout(120_000 + KILLS * 15_000)
  const site = await Site.make(t)
  const seen = { nothing: 0, pending: 0, installed: 0 }
  let took = 0
  // The first is not killed: it shows how long a join takes.
  for (let round = 0; (round - 1) * KILLS_PER_TOKEN < KILLS; round++) {
    const name = `web${round}.example.com`
    const directory = site.place(`identity-${round}`)
    const token = await site.token(name, 'agent')
    const words = ['agent', 'join', token, '--directory', directory, '--config', site.place(`agent-${round}.yaml`)]
    for (let kill = 0; kill < KILLS_PER_TOKEN && round > 0; kill++) {
      const child = spawn(process.execPath, [ENTRY, ...words], { stdio: 'ignore' })
      const ended = watched(t, child)
      // Most of the time goes by before anything is asked or written.
      const timer = setTimeout(() => child.kill('SIGKILL'), took * (0.3 + 0.8 * Math.random()))
      await ended
      clearTimeout(timer)
      const isPending = fs.existsSync(path.join(directory, 'pending.key.pem'))
      seen[installed(directory) !== undefined ? 'installed' : isPending ? 'pending' : 'nothing']++
    }
    const startedMs = performance.now()
    const { code, stderr } = await loghop(...words)
    took = Math.max(performance.now() - startedMs, took / 2)
    t.is(code, 0, stderr)
    const identity = loadIdentity(directory)
    t.is(identity.name, name)
    t.is(identity.authority, `localhost:${site.est.port}`)
    t.deepEqual(fs.readdirSync(directory).sort(), ['authority', 'ca.pem', 'cert.pem', 'key.pem', 'lock'])
    t.is(fs.statSync(path.join(directory, 'key.pem')).mode & 0o777, 0o600)
    const issued = site.est.acts('issue').filter((act) => act['name'] === name)
    t.deepEqual(
      issued.map((act) => act['serial']),
      [identity.facts.serial],
    )
    t.true(fs.existsSync(site.place(`agent-${round}.yaml`)))
    t.is(issuedToHosts(site), round + 1)
  }
  t.deepEqual(site.est.acts('refuse'), [])
  t.log(`left behind by the killed: nothing ${seen.nothing}, a key whose answer is due ${seen.pending}, an identity ${seen.installed}`)
})

test.serial(
  'an agent that renews every few seconds, killed again and again: its identity always loads, and it goes on renewing',
  async (t) => {
    t.timeout(120_000 + KILLS * 15_000)
    const site = await Site.make(t)
    await site.joined('agent', { lifeMs: 10_000 })
    const directory = site.identity('agent')
    const config = site.place('agent.yaml')
    const options = { identity: directory, hostname: AGENT_NAME, spool: { directory: site.place('agent-spool') }, relays: ['127.0.0.1:1'] }
    fs.writeFileSync(config, JSON.stringify({ ...options, sources: ['internal'], revocation_interval: '1s' }))
    const serials = new Set<string>()
    let unfinished = 0
    for (let kill = 0; kill < KILLS; kill++) {
      const mark = site.est.server.mark
      const agent = Daemon.spawn(t, 'agent', config)
      // When the authority has just answered, files are being replaced; the other times are any.
      if (kill % 4 !== 0) await site.est.server.waitFor(/ renewed: /, mark)
      else await agent.event('started')
      await new Promise((resolve) => setTimeout(resolve, Math.random() ** 2 * 80))
      await agent.end('SIGKILL')
      if (fs.existsSync(path.join(directory, 'next')) || fs.existsSync(path.join(directory, 'next.new'))) unfinished++
      const serial = installed(directory)
      t.truthy(serial)
      serials.add(serial!)
      issuedToHosts(site)
      t.true(site.est.acts('issue').some((act) => act['serial'] === serial))
    }
    const agent = Daemon.spawn(t, 'agent', config)
    await agent.event('identity-renewed')
    await eventually('nothing to be left of what was under way', () => !fs.existsSync(path.join(directory, 'next')))
    t.notThrows(() => loadIdentity(directory))
    t.deepEqual(await agent.end('SIGTERM'), { code: 0, signal: null })
    t.log(
      `${KILLS} kills, ${unfinished} of them within a replacement; ${issuedToHosts(site)} certificates issued, ${serials.size} found installed`,
    )
  },
)
