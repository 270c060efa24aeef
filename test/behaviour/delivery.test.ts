import * as fs from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { Chain, linesOf } from '../support/chain.ts'
import { loghop } from '../support/daemon.ts'
import { disorder, everyNumber, filedNumbers, missing, type Numbered, spooledNumbers, total } from '../support/numbered.ts'
import { startSenders } from '../support/senders.ts'

const SENDERS = 4
const LINE_BYTES = 140

/** Waits until the relay has filed as many lines, then compares them with what was sent. */
async function exactlyOnce(t: ExecutionContext, chain: Chain, sent: readonly number[]): Promise<void> {
  const wanted = everyNumber(sent)
  const lines = await chain.lines(total(wanted))
  const filed = filedNumbers(chain.file)
  t.is(disorder(filed), undefined, 'a line is doubled or out of order')
  t.is(missing(wanted, filed), undefined, 'a message was lost')
  t.is(lines.length, total(wanted), 'there is a line more than messages')
  t.deepEqual(fs.readdirSync(`${chain.logs}/web01.example.com`), ['messages'], 'something was set aside as foreign')
}

test.serial('200,000 messages of four processes arrive once and in order, while the relay is restarted twice', async (t) => {
  const chain = await Chain.start(t)
  const count = 50_000
  const senders = startSenders(t, chain, { senders: SENDERS, count })
  for (const part of [0.1, 0.4]) {
    await chain.grown(part * SENDERS * count * LINE_BYTES)
    t.deepEqual(await chain.relay.end('SIGTERM'), { code: 0, signal: null }, chain.relay.said)
    await chain.startRelay()
  }
  const sent = await senders.done
  await exactlyOnce(
    t,
    chain,
    sent.map((one) => one.sent),
  )
  t.is((await loghop('agent', 'status', '--config', chain.agentConfig)).code, 0)
  t.deepEqual(await chain.agent.end('SIGTERM'), { code: 0, signal: null })
  t.deepEqual(await chain.relay.end('SIGTERM'), { code: 0, signal: null })
})

test.serial('compressed batches arrive just the same', async (t) => {
  const chain = await Chain.make(t)
  chain.agentOptions['spool'] = { directory: chain.place('agent-spool'), compress: 'zstd' }
  await chain.startRelay()
  await chain.startAgent()
  const sent = await startSenders(t, chain, { senders: SENDERS, count: 10_000 }).done
  await exactlyOnce(
    t,
    chain,
    sent.map((one) => one.sent),
  )
  // Small only because it was compressed: 40,000 messages of 120 bytes and more.
  t.true(fs.readdirSync(chain.place('relay-spool/segments')).length >= 1)
  const bytes = fs
    .readdirSync(chain.place('relay-spool/segments'))
    .map((name) => fs.statSync(chain.place(`relay-spool/segments/${name}`)).size)
  t.true(bytes.reduce((sum, size) => sum + size) < 40_000 * 120, 'the batches on disk are not compressed')
})

test.serial('the agent is restarted under load and the senders try again: nothing is lost, nothing is doubled', async (t) => {
  const chain = await Chain.start(t)
  const senders = startSenders(t, chain, { senders: SENDERS, rate: 5000 })
  for (let round = 1; round <= 3; round++) {
    await chain.grown(round * 10_000 * LINE_BYTES)
    t.deepEqual(await chain.agent.end('SIGTERM'), { code: 0, signal: null }, chain.agent.said)
    await chain.startAgent()
  }
  await chain.grown(40_000 * LINE_BYTES)
  senders.stop()
  const sent = await senders.done
  t.true(
    sent.every((one) => one.retried > 0),
    'the senders were not held up, so the restarts were not under load',
  )
  await exactlyOnce(
    t,
    chain,
    sent.map((one) => one.sent),
  )
})

test.serial('the relay is killed again and again under load: everything arrives once and in order', async (t) => {
  const chain = await Chain.start(t)
  const senders = startSenders(t, chain, { senders: SENDERS, rate: 8000 })
  for (let round = 1; round <= 5; round++) {
    await chain.grown(round * 15_000 * LINE_BYTES)
    t.deepEqual(await chain.relay.end('SIGKILL'), { code: null, signal: 'SIGKILL' })
    await chain.startRelay()
  }
  await chain.grown(90_000 * LINE_BYTES)
  senders.stop()
  const sent = await senders.done
  await exactlyOnce(
    t,
    chain,
    sent.map((one) => one.sent),
  )
})

test.serial('the agent is killed again and again under load: what its spool had taken arrives once and in order', async (t) => {
  const chain = await Chain.start(t)
  const senders = startSenders(t, chain, { senders: SENDERS, rate: 5000 })
  const spooled: Numbered[] = []
  for (let round = 1; round <= 4; round++) {
    await chain.grown(round * 10_000 * LINE_BYTES)
    await chain.agent.end('SIGKILL')
    spooled.push(spooledNumbers(chain.place('agent-spool')))
    await chain.startAgent()
  }
  await chain.grown(50_000 * LINE_BYTES)
  senders.stop()
  const sent = await senders.done
  // The orderly stop delivers what is left, so afterwards the file is complete.
  await chain.agent.event('relay-connected')
  t.deepEqual(await chain.agent.end('SIGTERM'), { code: 0, signal: null })
  t.deepEqual(await chain.relay.end('SIGTERM'), { code: 0, signal: null })
  const filed = filedNumbers(chain.file)
  t.is(disorder(filed), undefined, 'a line is doubled or out of order')
  for (const [round, numbers] of spooled.entries()) {
    t.true(total(numbers) > 0)
    t.is(missing(numbers, filed), undefined, `what stood in the spool at kill ${round + 1} was lost`)
  }
  t.is(total(filed), linesOf(chain.file).length, 'a line is none of the messages')
  const all = sent.reduce((sum, one) => sum + one.sent, 0)
  t.true(total(filed) <= all)
  // What no spool had taken yet died with the process: the socket's queue, and what the receiving thread was about to hand over.
  t.log(`${all} sent, ${all - total(filed)} of them were in the kernel's queue or on their way to the spool at 4 kills`)
})

test.serial('agent and relay are killed at once: what both have taken arrives once and in order', async (t) => {
  const chain = await Chain.start(t)
  const senders = startSenders(t, chain, { senders: 2, rate: 5000 })
  const spooled: Numbered[] = []
  for (let round = 1; round <= 2; round++) {
    await chain.grown(round * 8000 * LINE_BYTES)
    await Promise.all([chain.agent.end('SIGKILL'), chain.relay.end('SIGKILL')])
    spooled.push(spooledNumbers(chain.place('agent-spool')), spooledNumbers(chain.place('relay-spool')))
    await Promise.all([chain.startRelay(), chain.startAgent()])
  }
  await chain.grown(24_000 * LINE_BYTES)
  senders.stop()
  await senders.done
  await chain.agent.event('relay-connected')
  t.deepEqual(await chain.agent.end('SIGTERM'), { code: 0, signal: null })
  t.deepEqual(await chain.relay.end('SIGTERM'), { code: 0, signal: null })
  const filed = filedNumbers(chain.file)
  t.is(disorder(filed), undefined, 'a line is doubled or out of order')
  for (const numbers of spooled) t.is(missing(numbers, filed), undefined, 'what stood in a spool was lost')
})
