// An agent with rules: what the old syslog.conf did goes on beside what is shipped.

import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { plainLines, readPlain } from '../../cli/plain-reading.ts'
import { askStatus } from '../../core/daemon/status-socket.ts'
import { FACILITIES, SEVERITIES } from '../../core/syslog/priority.ts'
import { AGENT_NAME, Chain, linesOf, type Status } from '../support/chain.ts'
import { Daemon, loghop } from '../support/daemon.ts'
import { eventually } from '../support/eventually.ts'
import { FREEBSD_DEFAULT } from '../support/freebsd-default.ts'
import { importedConfig, movedConf } from '../support/imported.ts'
import { sendDatagrams } from '../support/local-sender.ts'
import { sendOne } from '../support/send-one.ts'
import { startTerminal } from '../support/terminal.ts'

const PRIS = Array.from({ length: 192 }, (_, pri) => pri)

function numbersOf(text: string): number[] {
  return [...text.matchAll(/number (\d+)\.\r?$/gm)].map((match) => Number(match[1]))
}

function shown(pris: readonly number[]): string {
  return pris.map((pri) => `${FACILITIES[pri >>> 3]}.${SEVERITIES[pri & 7]}`).join(' ')
}

test("FreeBSD's own syslog.conf, imported and run: each facility and level lands where it did, and is shipped besides", async (t) => {
  const chain = await Chain.make(t)
  await chain.startRelay()
  const terminal = await startTerminal(t, chain.place('console'), true)
  const conf = movedConf(chain, FREEBSD_DEFAULT).replace('/dev/console', terminal.device)
  chain.agent = Daemon.spawn(t, 'agent', await importedConfig(t, chain, conf, 'freebsd'))
  await chain.agent.event('started')
  t.is(
    sendDatagrams(
      chain.socket,
      PRIS.map((pri) => `<${pri}>tag: number ${pri}.`),
    ),
    undefined,
  )
  await chain.lines(192)
  const lines = readPlain(conf, 'freebsd')
  const expected = new Map<string, number[]>()
  for (const pri of PRIS) {
    const message = { facility: pri >>> 3, severity: pri & 7, program: 'tag', pid: '', host: AGENT_NAME, text: `number ${pri}.` }
    for (const line of plainLines(lines, message)) {
      const to = conf.split('\n')[line - 1]!.split(/\s+/)[1]!
      expected.set(to, [...(expected.get(to) ?? []), pri])
    }
  }
  t.is(expected.size, 8)
  for (const [to, pris] of expected) {
    if (to === '*') continue
    const file = to === terminal.device ? chain.place('console') : to
    const read = (): string => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '')
    await eventually(`${pris.length} lines in ${path.basename(file)}`, () => numbersOf(read()).length >= pris.length, read)
    t.is(shown(numbersOf(read())), shown(pris), file)
    t.regex(read(), /^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d web01 tag\[\d+\]: number \d+\.\r?$/m)
  }
  const { code, stdout } = await loghop('agent', 'status', '--json', '--config', chain.place('agent.yaml'))
  t.is(code, 0, stdout)
  const { destinations } = JSON.parse(stdout) as { destinations: Array<Record<string, string | number>> }
  t.deepEqual(
    destinations.map(({ kind, path: place, state, lag_bytes: lag }) => [kind, place, state, lag]),
    [
      ['forward', undefined, 'ready', 0],
      ['console', terminal.device, 'open', 0],
      ...['messages', 'security', 'auth.log', 'maillog', 'lpd-errs', 'cron'].map((name) => [
        'files',
        chain.place(`var/log/${name}`),
        'following',
        0,
      ]),
      ['users', '*', 'open', 0],
    ],
  )
  t.deepEqual(await chain.agent.end('SIGTERM'), { code: 0, signal: null })
  const spool = await loghop('spool', 'ls', chain.place('agent-spool'), '--config', chain.place('agent.yaml'))
  t.is(spool.code, 0, spool.stdout)
  t.notRegex(spool.stdout, /orphan/i)
})

test('one destination that is broken stops neither the others nor the shipping, and gets all when it is mended', async (t) => {
  const chain = await Chain.make(t)
  chain.agentOptions['rules'] = [
    { select: '*.*', to: chain.place('not-yet/good') },
    { select: '*.*', to: [chain.place('shut/messages'), { pipe: chain.place('nobody') }] },
    { select: 'news.*', to: { program: `exec cat > ${chain.place('program')}` }, format: '$LEVEL $MSG' },
    { when: { match: 'secret' }, to: { discard: true }, stop: true },
    { to: chain.place('rest') },
  ]
  fs.writeFileSync(chain.place('shut'), 'a file where a directory should be')
  await chain.startRelay()
  await chain.startAgent()
  for (let number = 1; number <= 20; number++) sendDatagrams(chain.socket, [`<${number % 2 === 0 ? 61 : 13}>app: number ${number}.`])
  sendOne(chain, 'a secret')
  await chain.lines(21)
  await eventually('the good file', () => linesOf(chain.place('not-yet/good')).length === 21)
  await eventually('the program', () => linesOf(chain.place('program')).length === 10)
  t.is(linesOf(chain.place('program'))[0], 'notice number 2.')
  await eventually('the rest', () => linesOf(chain.place('rest')).length === 20)
  await chain.agent.event('files-failed')
  const { code, stdout } = await loghop('agent', 'status', '--config', chain.agentConfig)
  t.is(code, 1)
  t.regex(stdout, /destination {2}files \S+shut\/messages: failing, .* behind \(/)
  t.regex(stdout, /destination {2}pipe \S+nobody: waiting, /)
  fs.rmSync(chain.place('shut'))
  await eventually('the mended file', () => linesOf(chain.place('shut/messages')).length === 21)
  t.deepEqual(await chain.agent.end('SIGTERM'), { code: 0, signal: null })
  // Killed and started again, each stands there once.
  await chain.startAgent()
  sendOne(chain, 'after the start')
  await eventually('one more', () => linesOf(chain.place('rest')).length === 21)
  await chain.agent.end('SIGKILL')
  await chain.startAgent()
  sendOne(chain, 'after the kill')
  await eventually('one more', () => linesOf(chain.place('rest')).length >= 22)
  t.deepEqual(
    linesOf(chain.place('rest'))
      .slice(-2)
      .map((line) => line.replace(/^.*\]: /, '')),
    ['after the start', 'after the kill'],
  )
  t.is((await chain.lines(23)).length, 23)
  const status = JSON.parse((await loghop('agent', 'status', '--json', '--config', chain.agentConfig)).stdout) as Status
  t.is(status.loss === undefined ? 0 : Object.keys(status.loss).length, 0)
})

test('what is chosen for a foreign receiver alone goes there', async (t) => {
  const chain = await Chain.make(t)
  chain.relayOptions['listeners'] = [{ clients: { names: ['*.example.com'] } }, { udp: '127.0.0.1:0', name: AGENT_NAME }]
  await chain.startRelay()
  const port = Number([...(await chain.relay.event('started')).matchAll(/127\.0\.0\.1:(\d+)/g)][1]![1])
  chain.agentOptions['rules'] = [{ select: 'news.*', to: { forward: [`127.0.0.1:${port}`], protocol: 'udp' } }]
  await chain.startAgent()
  sendDatagrams(chain.socket, ['<13>app: shipped', '<61>app: shipped and sent'])
  const lines = await chain.lines(3)
  t.is(lines.filter((line) => line.endsWith(': shipped and sent')).length, 2)
  t.is(lines.filter((line) => line.endsWith(': shipped')).length, 1)
})

test('marks: written by the rules that choose mark and by no other, kept across kill -9 as any message, and shipped as syslog.info', async (t) => {
  const chain = await Chain.make(t)
  chain.agentOptions['sources'] = [{ unix: chain.socket }, { mark: '1s' }]
  chain.agentOptions['rules'] = [
    { select: 'mark.*', to: chain.place('marks'), format: 'bsd' },
    { select: 'syslog.*', to: chain.place('syslog') },
    { select: '*.*', dialect: 'freebsd', to: chain.place('all') },
    { select: '*.notice', to: chain.place('notice') },
    { select: '*.info', to: chain.place('info') },
  ]
  await chain.startRelay()
  t.regex(await (await chain.startAgent()).event('started'), /takes messages from unix \S+, mark every 1s /)
  sendDatagrams(chain.socket, ['<46>tag: number 1.'])
  const marks = () => linesOf(chain.place('marks'))
  await eventually('a mark', () => marks().length > 0)
  await chain.agent.end('SIGKILL')
  const before = marks().length
  await chain.startAgent()
  await eventually('another mark', () => marks().length > before)
  await chain.agent.end('SIGTERM')
  for (const line of marks()) t.regex(line, /^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d web01 -- MARK --$/)
  t.deepEqual(
    ['syslog', 'all', 'info'].map((name) => linesOf(chain.place(name)).filter((line) => line.includes('number 1.')).length),
    [1, 1, 1],
  )
  const marksIn = (lines: readonly string[]) => lines.filter((line) => line.endsWith(' web01.example.com -: -- MARK --')).length
  t.deepEqual(
    ['syslog', 'all', 'notice', 'info'].map((name) => marksIn(linesOf(chain.place(name)))),
    [0, 0, 0, marks().length],
  )
  const filed = await chain.lines(marks().length + 1)
  t.is(marksIn(filed), marks().length)
})

test('a directory where a file is meant, to write or to read: check and run tell it alike, at once, and the rest goes on', async (t) => {
  const chain = await Chain.make(t)
  const [folder, other] = [chain.place('folder'), chain.place('other')]
  for (const one of [folder, other]) fs.mkdirSync(one)
  chain.agentOptions['sources'] = [{ unix: chain.socket }, { file: folder }]
  chain.agentOptions['rules'] = [{ to: [folder, chain.place('all')] }]
  chain.relayOptions['destinations'] = [{ files: other }, ...(chain.relayOptions['destinations'] as object[])]
  await chain.startRelay()
  await chain.startAgent()
  const written = `Cannot write to ${folder}: it is no plain file but a directory`
  const read = `Cannot read ${folder} line by line: it is a directory`
  const remedies = {
    [written]: `Name a file in it, such as ${folder}/messages, or move it away`,
    [read]: `Name the files in it, such as ${folder}/*.log`,
  }
  t.true((await chain.agent.event('files-failed')).includes(`${written}. ${remedies[written]}`), chain.agent.said)
  t.true((await chain.agent.event('file-unreadable')).includes(`${read}. ${remedies[read]}`))
  t.true((await chain.relay.event('files-failed')).includes(written.replace(folder, other)))
  const check = async (program: string, config: string): Promise<string> => {
    const { code, stdout } = await loghop(program, 'check', '--config', config)
    t.is(code, 78)
    return stdout.replaceAll(other, folder)
  }
  const agent = await check('agent', chain.agentConfig)
  for (const text of [written, read]) t.true(agent.includes(`: ${text}\n      ${remedies[text]}\n`), agent)
  t.true((await check('relay', chain.relayConfig)).includes(`: ${written}\n      ${remedies[written]}\n`))
  sendOne(chain, 'number 1.')
  await eventually('the other file', () => linesOf(chain.place('all')).length === 1)
  fs.rmdirSync(folder)
  await eventually('the file that could not be', () => fs.existsSync(folder) && linesOf(folder).length > 0)
})

test('repeated: fold: each message is a line or in the count of one, across kill -9, a stop, and the reload that ends it', async (t) => {
  const chain = await Chain.make(t)
  const folded = chain.place('folded')
  chain.agentOptions['rules'] = [{ select: '*.notice', to: { file: folded, repeated: 'fold' }, format: 'bsd' }]
  await chain.startRelay()
  await chain.startAgent()
  let shipped = 0
  const say = async (count: number, text: string) => {
    sendDatagrams(chain.socket, Array<string>(count).fill(`<13>app: ${text}`))
    shipped += count
    await chain.lines(shipped)
  }
  const shown = () => linesOf(folded).map((line) => line.replace(/^.{15} web01 app(\[\d+\])?: /, ''))
  await say(40, 'again')
  await eventually('the first', () => shown().length > 0)
  await chain.agent.end('SIGKILL')
  await chain.startAgent()
  await say(2, 'again')
  t.deepEqual(await chain.agent.end('SIGTERM'), { code: 0, signal: null })
  await chain.startAgent()
  await say(1, 'other')
  const before = ['again', 'last message repeated 41 times', 'other']
  await eventually('the count', () => shown().length >= before.length)
  t.deepEqual(shown(), before)
  await say(9, 'other')
  const filed = async () => ((await askStatus(chain.place('agent-spool')))['destinations'] as Array<Record<string, unknown>>)[1]!
  await eventually('all to be folded', async () => (await filed())['folded'] === 9)
  t.is((await filed())['folding_hosts_limit'], 1024)
  chain.agentOptions['rules'] = [{ select: '*.notice', to: folded, format: 'bsd' }]
  t.is((await loghop('agent', 'reload', '--config', chain.agentConfig)).code, 0)
  await say(2, 'other')
  const after = [...before, 'last message repeated 9 times', 'other', 'other']
  await eventually('all', () => shown().length >= after.length)
  t.deepEqual(shown(), after)
})
