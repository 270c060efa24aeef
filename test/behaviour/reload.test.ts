// A changed configuration is taken over whole or not at all, and under load nothing is lost or doubled by it.

import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import test from 'ava'
import { askReload } from '../../core/daemon/status-socket.ts'
import { Chain, linesOf } from '../support/chain.ts'
import { loghop, watched } from '../support/daemon.ts'
import { eventually } from '../support/eventually.ts'
import { fixedPort } from '../support/fixed-port.ts'
import { disorder, everyNumber, filedNumbers, missing } from '../support/numbered.ts'
import { sendOne } from '../support/send-one.ts'
import { startSenders } from '../support/senders.ts'

const RELOADS = 20

test('20 reloads under 5000 messages a second, with rules that come, go and lead elsewhere', async (t) => {
  const chain = await Chain.make(t)
  const place = (name: string): string => chain.place(`local/${name}`)
  /** The first sender's go to one of two files, back and forth; some files are there in every other configuration alone. */
  const rulesOf = (round: number): object[] => [
    { select: '*.*', to: place('all') },
    { program: 's1', to: place(round % 2 === 0 ? 'even' : 'odd') },
    { program: 's2', to: [place('even'), place('odd')] },
    ...(round % 2 === 0 ? [{ to: [place('sometimes'), { program: `cat >> ${place('program')}` }] }] : []),
    ...(round % 3 === 0 ? [{ program: 's2', to: place('third'), format: round % 2 === 0 ? 'bsd' : 'rfc3339' }] : []),
  ]
  fs.mkdirSync(chain.place('local'))
  chain.agentOptions['rules'] = rulesOf(0)
  await chain.startRelay()
  await chain.startAgent()
  const { directory } = chain.agentOptions['spool'] as { directory: string }
  const senders = startSenders(t, chain, { senders: 2, rate: 2500 })
  for (let round = 1; round <= RELOADS; round++) {
    const lines = linesOf(place('all')).length
    await eventually('some messages between two reloads', () => linesOf(place('all')).length > lines + 100)
    chain.agentOptions['rules'] = rulesOf(round)
    t.is(chain.agentConfig, chain.place('agent.yaml'))
    const { isDone, text } = await askReload(directory)
    t.true(isDone, text)
  }
  senders.stop()
  const counts = (await senders.done).map(({ sent }) => sent)
  const total = counts.reduce((sum, count) => sum + count, 0)
  await chain.lines(total)
  await eventually('the local files', () => linesOf(place('all')).length >= total)
  t.deepEqual(await chain.agent.end('SIGTERM'), { code: 0, signal: null })
  const wanted = everyNumber(counts)
  for (const file of [chain.file, place('all')]) {
    const numbers = filedNumbers(file)
    t.is(disorder(numbers), undefined, file)
    t.is(missing(wanted, numbers), undefined, file)
  }
  const [even, odd] = [filedNumbers(place('even')), filedNumbers(place('odd'))]
  for (const numbers of [even, odd]) {
    t.is(disorder(numbers), undefined)
    t.is(missing(new Map([['s2', wanted.get('s2')!]]), numbers), undefined)
  }
  const moved = [...(even.get('s1') ?? []), ...(odd.get('s1') ?? [])].sort((a, b) => a - b)
  t.true(even.get('s1')!.length > 0 && odd.get('s1')!.length > 0)
  t.is(disorder(new Map([['s1', moved]])), undefined, 'none in both')
  t.is(missing(new Map([['s1', wanted.get('s1')!]]), new Map([['s1', moved]])), undefined, 'none in neither')
  const sometimes = filedNumbers(place('sometimes'))
  t.is(disorder(sometimes), undefined)
  t.true(sometimes.get('s1')!.length < counts[0]!, 'what came while it was not wanted is not there')
  t.notRegex(chain.agent.said, / (?:warn|error) (?!relay-failed)/)
  t.is(chain.agent.lines.filter((line) => / relay-connected: /.test(line)).length, 1, 'the way to the relay stayed up')
})

test('a faulty file leaves the running configuration as it is, and the command and the log say where the fault is', async (t) => {
  const chain = await Chain.make(t)
  chain.agentOptions['rules'] = [{ select: '*.*', to: chain.place('local') }]
  await chain.startRelay()
  await chain.startAgent()
  const config = chain.agentConfig
  const good = fs.readFileSync(config, 'utf8')
  fs.writeFileSync(config, good.replace('*.*', '*.nonsense'))
  const wrong = await loghop('agent', 'reload', '--config', config)
  t.is(wrong.code, 78)
  t.regex(wrong.stderr, /agent\.yaml:1:\d+: rules\[0\]\.select: /)
  let mark = chain.agent.mark
  chain.agent.signal('SIGHUP')
  // The problems, which stand on lines of their own in the command's answer, are in one line of the log.
  t.regex(
    await chain.agent.event('reload-refused', mark),
    /agent\.yaml: one problem; \S*agent\.yaml:1:\d+: rules\[0\]\.select: .*\. The running configuration is kept$/,
  )
  // What cannot change is named, also beside what could.
  fs.writeFileSync(
    config,
    good
      .replace('*.*', 'mail.*')
      .replace('"hostname":"web01', '"hostname":"web99')
      .replace('"identity":"', '"log":{"format":"json"},"identity":"'),
  )
  const fixed = await loghop('agent', 'reload', '--config', config)
  t.is(fixed.code, 1)
  t.regex(fixed.stderr, /^loghop: Cannot change hostname, log\.format while running\n {2}Put them back .*, or restart/)
  fs.writeFileSync(config, '')
  mark = chain.agent.mark
  chain.agent.signal('SIGHUP')
  t.regex(await chain.agent.event('reload-refused', mark), /it is empty/)
  sendOne(chain, 'still by the old rules')
  await eventually('the local file', () => linesOf(chain.place('local')).length === 1)
  // A destination that cannot be made stops the change as a whole.
  fs.writeFileSync(config, good.replace(chain.place('local'), chain.place('other')))
  const right = await loghop('agent', 'reload', '--config', config)
  t.is(right.code, 0, right.stderr)
  t.regex(right.stdout, /^reloaded: 1 rules, 1 destination added, 1 removed, none made anew$/m)
  sendOne(chain, 'by the new rules')
  await eventually('the other file', () => linesOf(chain.place('other')).length === 1)
  t.is(linesOf(chain.place('local')).length, 1)
  t.deepEqual(fs.readdirSync(chain.place('agent-spool/cursors')).length, 2, 'a destination that is gone has left no cursor')
  await chain.agent.end('SIGTERM')
  const late = await loghop('agent', 'reload', '--config', config)
  t.is(late.code, 1)
  t.regex(late.stderr, /Cannot reload the daemon of .*: nothing runs there/)
})

test('a relay takes over who may connect: who still may stays connected, who may not is cut, and nothing is lost', async (t) => {
  const chain = await Chain.make(t)
  chain.port = await fixedPort()
  const listener = (names: string[], more: object = {}): void => {
    chain.relayOptions['listeners'] = [{ clients: { names }, ...more }]
  }
  const reload = async (): Promise<string> => {
    t.is(chain.relayConfig, chain.place('relay.yaml'))
    const { isDone, text } = await askReload(chain.place('relay-spool'))
    t.true(isDone, text)
    return text
  }
  await chain.startRelay()
  await chain.startAgent()
  sendOne(chain, 'one')
  await chain.lines(1)
  listener(['web01.example.com', 'db01.example.com'])
  t.regex(await reload(), /no connection cut/)
  sendOne(chain, 'two')
  await chain.lines(2)
  t.is(chain.relay.lines.filter((line) => / peer-admitted: /.test(line)).length, 1, 'it stayed')
  listener(['db01.example.com'])
  const mark = chain.relay.mark
  t.regex(await reload(), /1 connection cut/)
  t.regex(await chain.relay.event('peer-cut', mark), /by the configuration of now, certificate names "?web01\.example\.com"?/)
  await chain.agent.event('relay-failed')
  sendOne(chain, 'three, while it may not')
  listener(['*.example.com'])
  await reload()
  await chain.lines(3)
  // What cannot change is named.
  chain.relayOptions['spool'] = { directory: chain.place('other-spool') }
  t.is(chain.relayConfig, chain.place('relay.yaml'))
  const refused = await askReload(chain.place('relay-spool'))
  t.like(refused, { isDone: false, exitCode: 1 })
  t.regex(refused.text, /Cannot change spool\.directory while running/)
  chain.relayOptions['spool'] = { directory: chain.place('relay-spool') }
  listener(['*.example.com'])
  // A destination that cannot be made leaves the others as they are.
  const destinations = chain.relayOptions['destinations'] as object[]
  chain.relayOptions['destinations'] = [{ files: chain.place('nobody/messages'), owner: 'no-such-user' }, { discard: true }]
  t.is(chain.relayConfig, chain.place('relay.yaml'))
  t.regex((await askReload(chain.place('relay-spool'))).text, /the user no-such-user/)
  chain.relayOptions['destinations'] = [
    { ...destinations[0], select: 'user.*;mail.none' },
    { files: chain.place('mail'), select: 'mail.*' },
  ]
  chain.relayOptions['rules'] = [{ when: { match: 'fo' }, to: chain.place('found') }]
  t.regex(await reload(), /2 destinations added, none removed, 1 made anew/)
  sendOne(chain, 'four')
  await chain.lines(4)
  await eventually('the rule', () => linesOf(chain.place('found')).length === 1)
  t.deepEqual(await chain.relay.end('SIGTERM'), { code: 0, signal: null })
  t.is(linesOf(chain.file).length, 4)
})

test('an agent goes over to another list of relays, and nothing is lost or doubled', async (t) => {
  const chain = await Chain.make(t)
  chain.port = await fixedPort()
  await chain.startRelay()
  await chain.startAgent()
  const senders = startSenders(t, chain, { senders: 1, rate: 500 })
  await chain.lines(200)
  const mark = chain.agent.mark
  chain.agentOptions['relays'] = [`localhost:${chain.port}`]
  t.is(chain.agentConfig, chain.place('agent.yaml'))
  chain.agent.signal('SIGHUP')
  t.regex(await chain.agent.event('reloaded', mark), /0 rules, no destination added, none removed, 1 made anew/)
  t.regex(await chain.agent.event('relay-connected', mark), /Connected to localhost/)
  await chain.lines(linesOf(chain.file).length + 200)
  senders.stop()
  const counts = (await senders.done).map(({ sent }) => sent)
  await chain.lines(counts[0]!)
  await chain.agent.end('SIGTERM')
  t.is(disorder(filedNumbers(chain.file)), undefined)
  t.is(missing(everyNumber(counts), filedNumbers(chain.file)), undefined)
})

test('a destination that is behind gets what came before a change by the old rules, and what came after it by the new ones', async (t) => {
  const chain = await Chain.make(t)
  const pipe = chain.place('pipe')
  execFileSync('mkfifo', [pipe])
  const file = chain.place('file')
  chain.agentOptions['rules'] = [
    { select: '*.*', to: { pipe } },
    { select: 'kern.*', to: file },
  ]
  await chain.startRelay()
  await chain.startAgent()
  for (let number = 1; number <= 10; number++) sendOne(chain, `before ${number}`)
  await chain.lines(10)
  // They change places while the pipe has no reader, and a third comes in.
  chain.agentOptions['rules'] = [
    { select: 'kern.*', to: { pipe } },
    { select: '*.*', to: [file, chain.place('new')] },
  ]
  t.is(chain.agentConfig, chain.place('agent.yaml'))
  const mark = chain.agent.mark
  chain.agent.signal('SIGHUP')
  await chain.agent.event('reloaded', mark)
  for (let number = 1; number <= 10; number++) sendOne(chain, `after ${number}`)
  await chain.lines(20)
  const reader = spawn('sh', ['-c', `exec cat ${pipe} > ${chain.place('read')}`])
  void watched(t, reader)
  const texts = (name: string): string[] => linesOf(name).map((line) => line.replace(/^.*\]: /, ''))
  await eventually('the pipe', () => texts(chain.place('read')).length >= 10)
  await eventually('the file', () => texts(file).length >= 10)
  await chain.agent.end('SIGTERM')
  const expected = (word: string): string[] => Array.from({ length: 10 }, (_, index) => `${word} ${index + 1}`)
  t.deepEqual(texts(chain.place('read')), expected('before'))
  t.deepEqual(texts(file), expected('after'))
  t.deepEqual(texts(chain.place('new')), expected('after'))
})
