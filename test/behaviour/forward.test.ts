// Relay to relay: batches go on unopened, with each hop added, and a relay speaks only for the names that its certificate lists.

import * as fs from 'node:fs'
import test from 'ava'
import { Chain, type Status } from '../support/chain.ts'
import { loghop } from '../support/daemon.ts'
import { eventually } from '../support/eventually.ts'
import { sendDatagrams } from '../support/local-sender.ts'
import { speakFor, startNext } from '../support/next-relay.ts'

/** The kernel blocks a sender whose queue is full, so any number may be sent. */
function sendLines(chain: Chain, app: string, count: number): void {
  sendDatagrams(
    chain.socket,
    Array.from({ length: count }, (_, index) => `<13>${app}: number ${index}`),
  )
}

function forwardTo(chain: Chain, ...ports: number[]): void {
  chain.relayOptions['destinations'] = [{ files: `${chain.logs}/$HOST/messages` }, { forward: ports.map((port) => `localhost:${port}`) }]
}

test('three levels file the same lines, each once and in order', async (t) => {
  const chain = await Chain.make(t)
  await speakFor(chain, '*.example.com')
  const centre = await startNext(t, chain, 'centre')
  const site = await startNext(t, chain, 'site', { destinations: [{ forward: [`localhost:${centre.port}`] }] })
  forwardTo(chain, site.port)
  await chain.startRelay()
  await chain.startAgent()
  sendLines(chain, 'app', 5000)
  const here = await chain.lines(5000)
  t.deepEqual(await chain.lines(5000, site.file), here)
  t.deepEqual(await chain.lines(5000, centre.file), here)
})

test('a relay that brings a name outside its certificate is refused, both sides say so, and nothing of it is filed', async (t) => {
  const chain = await Chain.make(t)
  await speakFor(chain, '*.elsewhere.example.com')
  const centre = await startNext(t, chain, 'centre')
  forwardTo(chain, centre.port)
  await chain.startRelay()
  await chain.startAgent()
  sendLines(chain, 'app', 10)
  await chain.lines(10)
  t.regex(await centre.daemon.waitFor(/peer-gone/), /certificate of relay\.example\.com does not speak for "web01\.example\.com"/)
  t.regex(await chain.relay.waitFor(/relay-failed/), /does not speak for "web01\.example\.com"/)
  t.false(fs.existsSync(centre.file))
})

test('a batch that comes back to a relay that it has passed is refused as a loop and reported', async (t) => {
  const chain = await Chain.make(t)
  await speakFor(chain, '*.example.com')
  await chain.startRelay()
  const site = await startNext(t, chain, 'site', { destinations: [{ forward: [`localhost:${chain.port}`] }] })
  await chain.relay.end('SIGTERM')
  forwardTo(chain, site.port)
  await chain.startRelay()
  await chain.startAgent()
  sendLines(chain, 'app', 10)
  t.is((await chain.lines(10)).length, 10)
  t.regex(await site.daemon.waitFor(/relay-failed.*loop/), /loop: this batch has been here before/)
  t.is((await chain.lines(10)).length, 10)
})

test('when the first relay goes away the next one takes over at once', async (t) => {
  const chain = await Chain.make(t)
  await chain.startRelay()
  const other = await startNext(t, chain, 'other')
  chain.agentOptions['relays'] = [`127.0.0.1:${chain.port}`, `localhost:${other.port}`]
  await chain.startAgent()
  sendLines(chain, 'first', 100)
  await chain.lines(100)
  await chain.relay.end('SIGTERM')
  sendLines(chain, 'second', 100)
  const there = await chain.lines(100, other.file)
  t.true(there.every((line) => line.includes(' second[')))
  const status = await eventually('the agent to have its answer', async () => {
    const { stdout } = await loghop('agent', 'status', '--json', '--config', chain.place('agent.yaml'))
    const now = JSON.parse(stdout) as Status & { destinations: Array<{ relay: string }> }
    return now.destinations[0]!.relay === `localhost:${other.port}` && now.destinations[0]!.lag_bytes === 0 ? now : undefined
  })
  t.is(status.destinations[0]!.state, 'ready')
})

test('the agent goes back to the first relay when that has been up again for a while, and nothing is lost or doubled', async (t) => {
  const chain = await Chain.make(t)
  await chain.startRelay()
  const other = await startNext(t, chain, 'other')
  chain.agentOptions['relays'] = [`127.0.0.1:${chain.port}`, `localhost:${other.port}`]
  chain.agentOptions['fail_back'] = '1s'
  await chain.startAgent()
  await chain.relay.end('SIGTERM')
  sendLines(chain, 'second', 100)
  await chain.lines(100, other.file)
  await chain.startRelay()
  await chain.agent.event('relay-preferred')
  sendLines(chain, 'third', 100)
  const lines = await chain.lines(100)
  t.is(lines.length, 100)
  t.true(lines.every((line) => line.includes(' third[')))
  t.is((await chain.lines(100, other.file)).length, 100)
})
