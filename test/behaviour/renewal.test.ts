// Identities that keep themselves fresh while daemons run: nothing is lost or doubled by it, and the revoked are out within seconds.

import * as fs from 'node:fs'
import test from 'ava'
import { loadIdentity } from '../../core/identity/identity.ts'
import { rotateRoot } from '../../pki/rotation.ts'
import type { Chain } from '../support/chain.ts'
import { AGENT_NAME } from '../support/chain.ts'
import { loghop } from '../support/daemon.ts'
import { eventually } from '../support/eventually.ts'
import { disorder, everyNumber, filedNumbers, missing, total } from '../support/numbered.ts'
import { startSenders } from '../support/senders.ts'
import { Site } from '../support/site.ts'

const LIFE_MS = 20_000

function send(t: Parameters<typeof startSenders>[0], site: Site, count?: number, rate = 0) {
  const chain = { directory: site.directory, socket: site.socket, place: (name: string) => site.place(name) } as unknown as Chain
  return startSenders(t, chain, count === undefined ? { senders: 1, rate } : { senders: 1, count, rate })
}

async function filed(site: Site, count: number): Promise<void> {
  await eventually(
    `${count} lines`,
    () => fs.existsSync(site.file) && total(filedNumbers(site.file)) >= count,
    () => `${site.agent.said}\n${site.relay.said}`,
  )
}

function renewals(said: string): number {
  return said.match(/ identity-renewed: /g)?.length ?? 0
}

test.serial('agent and relay renew again and again under load, and go over to new connections: nothing is lost or doubled', async (t) => {
  const site = await Site.make(t)
  await site.joined('relay', { lifeMs: LIFE_MS })
  await site.joined('agent', { lifeMs: LIFE_MS })
  await site.startRelay()
  await site.startAgent()
  const first = loadIdentity(site.identity('agent'))
  const senders = send(t, site, undefined, 2000)
  await eventually(
    'two renewals of each',
    () => renewals(site.agent.said) >= 2 && renewals(site.relay.said) >= 2,
    () => `${site.agent.said}\n${site.relay.said}`,
  )
  // By the relay's renewal, or the agent's own: the connection is another one.
  await site.agent.event('relay-moved')
  senders.stop()
  const wanted = everyNumber((await senders.done).map((one) => one.sent))
  await filed(site, total(wanted))
  const numbers = filedNumbers(site.file)
  t.is(disorder(numbers), undefined)
  t.is(missing(wanted, numbers), undefined)
  t.is(total(numbers), total(wanted))
  const renewed = loadIdentity(site.identity('agent'))
  t.not(renewed.facts.publicKeySha256, first.facts.publicKeySha256, 'a new key each time')
  const { code, stdout } = await loghop('agent', 'status', '--config', site.place('agent.yaml'))
  t.is(code, 0, `${stdout}\n${site.agent.said}`)
  t.regex(stdout, /^renewal {6}next 20.*, at localhost:\d+$/m)
  t.false(site.agent.said.includes('relay-failed'), site.agent.said)
})

test.serial('a revoked agent is cut within seconds and refused afterwards, also when it comes back', async (t) => {
  const site = await Site.make(t)
  await site.joined('relay')
  await site.joined('agent')
  await site.startRelay()
  await site.startAgent()
  const before = send(t, site, 10)
  await before.done
  await filed(site, 10)
  const revokedMs = performance.now()
  await site.revoke(AGENT_NAME)
  t.regex(await site.relay.event('peer-cut'), /Cut the connection of web01\.example\.com .*: its certificate was revoked on 20/)
  t.true(performance.now() - revokedMs < 30_000)
  t.regex(await site.relay.event('peer-refused'), /was revoked on 20/)
  t.regex(await site.agent.event('relay-failed'), /refuses our certificate: revoked/)
  // What is sent now waits in the agent's spool.
  const after = send(t, site, 5)
  await after.done
  const status = await loghop('agent', 'status', '--config', site.place('agent.yaml'))
  t.is(status.code, 1)
  // The list outlives a restart, also without the authority.
  await site.est.server.end('SIGTERM')
  await site.relay.end('SIGTERM')
  await site.startRelay()
  await site.relay.event('peer-refused')
  t.is(total(filedNumbers(site.file)), 10)
  t.true(site.est.acts('revoke').length === 1)
})

test.serial('an authority that is away stops nothing: an alarm in log and status, and all is well when it is back', async (t) => {
  const site = await Site.make(t)
  await site.joined('relay', { lifeMs: 60_000 })
  await site.joined('agent')
  await site.est.server.end('SIGTERM')
  await site.startRelay()
  await site.startAgent()
  t.regex(await site.relay.event('renewal-failed'), /Cannot reach the authority localhost:\d+: connect ECONNREFUSED.*tried again in/)
  t.regex(await site.relay.event('lists-failed'), /last good revocation lists stay in use/)
  const senders = send(t, site, 10)
  await senders.done
  await filed(site, 10)
  t.regex(
    await site.relay.event('identity-renewal-overdue'),
    /was to be renewed by now, and is not; it expires on .*The last attempt: Cannot reach/,
  )
  t.regex(await site.relay.event('identity-lists-unreachable'), /could not be fetched \d+ times in a row/)
  const { code, stdout } = await loghop('relay', 'status', '--config', site.place('relay.yaml'))
  t.is(code, 1)
  t.regex(stdout, /failed \d+ times: Cannot reach the authority/)
  t.regex(stdout, /^PROBLEM .*was to be renewed/m)
})

test.serial('an agent whose certificate has expired spools, renews by itself within the grace, and delivers everything', async (t) => {
  const site = await Site.make(t)
  await site.joined('relay')
  await site.joined('agent', { lifeMs: LIFE_MS })
  await eventually('the certificate to expire', () => Date.now() > loadIdentity(site.identity('agent')).facts.validTo.getTime() + 1000)
  await site.startRelay()
  const away = site.est.port
  await site.est.server.end('SIGTERM')
  await site.startAgent({ authority: `localhost:${away}` })
  const senders = send(t, site, 20)
  await senders.done
  t.regex(await site.agent.event('identity-expired'), /expired on 20/)
  await site.agent.event('relay-failed')
  // Back, on another port: by the configuration; and with another root, which comes with the new certificate.
  await site.est.act((session) => rotateRoot(session, undefined))
  await site.est.serve()
  await site.agent.end('SIGTERM')
  await site.startAgent({ authority: `localhost:${site.est.port}` })
  await site.agent.event('identity-renewed')
  await site.agent.event('roots-replaced')
  await filed(site, 20)
  t.is(missing(everyNumber([20]), filedNumbers(site.file)), undefined)
})

test.serial('hosts of a site join and renew through their relay, which sees TLS alone', async (t) => {
  const site = await Site.make(t)
  await site.joined('relay')
  const relay = await site.startRelay({ passthrough: { listen: '127.0.0.1:0', to: `127.0.0.1:${site.est.port}` } })
  const port = Number(/passthrough=127\.0\.0\.1:(\d+)/.exec(await relay.event('started'))![1])
  const { code, stderr } = await site.join('agent', await site.token(AGENT_NAME, 'agent', { lifeMs: LIFE_MS, server: `localhost:${port}` }))
  t.is(code, 0, stderr)
  await site.startAgent()
  await site.agent.event('identity-renewed')
  t.is(loadIdentity(site.identity('agent')).authority, `localhost:${port}`)
})

test.serial('a new root reaches everyone by itself, and nobody is cut off on the way', async (t) => {
  const site = await Site.make(t)
  await site.joined('relay', { lifeMs: LIFE_MS })
  await site.joined('agent', { lifeMs: LIFE_MS })
  await site.startRelay()
  await site.startAgent()
  const senders = send(t, site, undefined, 500)
  await site.est.act((session) => rotateRoot(session, undefined))
  await site.agent.event('roots-replaced')
  await site.relay.event('roots-replaced')
  const underNew = (role: 'agent' | 'relay') => loadIdentity(site.identity(role)).facts.issuer.includes('2')
  await eventually(
    'both to have a certificate under the new root',
    () => underNew('agent') && underNew('relay'),
    () => `${site.agent.said}\n${site.relay.said}`,
  )
  senders.stop()
  const wanted = everyNumber((await senders.done).map((one) => one.sent))
  await filed(site, total(wanted))
  const numbers = filedNumbers(site.file)
  t.is(disorder(numbers), undefined)
  t.is(missing(wanted, numbers), undefined)
  t.false(site.agent.said.includes('relay-failed'), site.agent.said)
  t.true(
    site.est.acts('seen').some(({ roots }) => (roots as string[]).length === 2),
    'the authority knows who trusts the new root',
  )
})
