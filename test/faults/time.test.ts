// The wall clock of agent and relay jumps while messages flow: order is unchanged, nothing is lost, and nothing waits for a time that is past or far ahead.
// The kernel's own stamps on datagrams do not jump with it.

import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { askStatus } from '../../core/daemon/status-socket.ts'
import { Chain, linesOf, type Status } from '../support/chain.ts'
import { effort } from '../support/effort.ts'
import { eventually } from '../support/eventually.ts'
import { withHooks } from '../support/hooked.ts'
import { disorder, everyNumber, filedNumbers, missing, total } from '../support/numbered.ts'
import { startSenders } from '../support/senders.ts'

const HOUR_MS = 3_600_000
/** After a jump everything has to go on within this time: far less than any jump, and enough for a machine that is shared. */
const SOON_MS = 60_000

test.serial('an hour back, a year ahead and back again', async (t) => {
  const rounds = effort({ quick: 1, ci: 3, long: 50 })
  t.timeout(600_000 + rounds * 60_000)
  const chain = await Chain.make(t)
  const clock = chain.place('clock')
  const environment = { LOGHOP_TEST_CLOCK: clock }
  const jump = (offMs: number): void => fs.writeFileSync(clock, String(offMs))
  jump(0)
  await withHooks(['jumping-clock'], () => chain.startRelay(), environment)
  await withHooks(['jumping-clock'], () => chain.startAgent(), environment)
  const senders = startSenders(t, chain, { senders: 2, rate: 1500 })
  await chain.lines(500)
  const cursor = (): number => {
    const folder = chain.place('relay-spool/cursors')
    return Math.max(...fs.readdirSync(folder).map((name) => fs.statSync(path.join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0))
  }
  for (let round = 0; round < rounds; round++) {
    for (const offMs of [-HOUR_MS, 365 * 24 * HOUR_MS, -HOUR_MS, 0]) {
      jump(offMs)
      const seen = linesOf(chain.file).length
      const written = cursor()
      const since = performance.now()
      await chain.lines(seen + 3000)
      t.true(performance.now() - since < SOON_MS, `after a jump to ${offMs} ms messages took ${performance.now() - since} ms`)
      await eventually('a checkpoint after the jump', () => cursor() > written, undefined, SOON_MS)
      const status = (await askStatus(chain.place('relay-spool'))) as unknown as Status & { uptime_seconds: number }
      t.true(status.uptime_seconds >= 0 && status.uptime_seconds < 3600, `up for ${status.uptime_seconds} s`)
    }
    // A new connection, with pauses between attempts, when the time is right again.
    const { mark } = chain.agent
    await chain.relay.end('SIGKILL')
    await withHooks(['jumping-clock'], () => chain.startRelay(), environment)
    // An hour back the relay's certificate is not valid yet, and lines come out of the relay's spool before the agent is there again.
    await chain.agent.event('relay-connected', mark)
    await chain.lines(linesOf(chain.file).length + 500)
  }
  senders.stop()
  const wanted = everyNumber((await senders.done).map((one) => one.sent))
  const lines = await chain.lines(total(wanted))
  const filed = filedNumbers(chain.file)
  t.is(disorder(filed), undefined, 'a line is doubled or out of order')
  t.is(missing(wanted, filed), undefined, 'a message was lost')
  t.is(lines.length, total(wanted))
  t.deepEqual(await chain.agent.end('SIGTERM'), { code: 0, signal: null })
  t.deepEqual(await chain.relay.end('SIGTERM'), { code: 0, signal: null })
  t.log(`${rounds * 4} jumps, ${lines.length} messages, once and in order`)
})

for (const [name, offMs] of [
  ['an hour behind', -HOUR_MS],
  ['a year ahead', 365 * 24 * HOUR_MS],
] as const) {
  test.serial(`started ${name}, and set right: what the daemon says has the wrong time, what it carries is whole`, async (t) => {
    const chain = await Chain.make(t)
    const clock = chain.place('clock')
    fs.writeFileSync(clock, '0')
    await chain.startRelay()
    chain.agentOptions['sources'] = [{ unix: chain.socket }, 'internal']
    fs.writeFileSync(clock, String(offMs))
    await withHooks(['jumping-clock'], () => chain.startAgent(), { LOGHOP_TEST_CLOCK: clock })
    const said = Date.parse(/^\S+/.exec(chain.agent.lines.at(-1)!)![0])
    t.true(Math.abs(said - Date.now() - offMs) < 60_000, 'the clock of the agent was not off, so this tests nothing')
    const senders = startSenders(t, chain, { senders: 2, count: 2000 })
    const sent = (await senders.done).map((one) => one.sent)
    await new Promise((resolve) => setTimeout(resolve, 500))
    fs.writeFileSync(clock, '0')
    await eventually('all messages to be filed', () => fs.existsSync(chain.file) && total(filedNumbers(chain.file)) === 4000)
    t.is(disorder(filedNumbers(chain.file)), undefined)
    t.is(missing(everyNumber(sent), filedNumbers(chain.file)), undefined)
  })
}
