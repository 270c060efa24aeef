// Every translation of docs/coming-from-syslog-ng.md is read, and run: one agent with all that the tables give it, one relay likewise, and a central relay.

import { execFileSync, spawn } from 'node:child_process'
import * as dgram from 'node:dgram'
import * as fs from 'node:fs'
import * as net from 'node:net'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { agentOptions } from '../../agent/options.ts'
import { relayOptions } from '../../relay/options.ts'
import { Chain, linesOf } from '../support/chain.ts'
import { load } from '../support/configuration.ts'
import type { Daemon } from '../support/daemon.ts'
import { startReceiver } from '../support/datagram-receiver.ts'
import { say, sayTls } from '../support/door.ts'
import { eventually } from '../support/eventually.ts'
import { sendDatagrams } from '../support/local-sender.ts'
import { codeIn } from '../support/manual.ts'
import { startTerminal } from '../support/terminal.ts'
import { listed, Machines, PLACES, type Row, TRANSLATIONS, translations } from '../support/translated.ts'
import { LineReceiver, OctetReceiver, receiveDatagrams } from '../unit/destinations/foreign-receivers.ts'

const ROWS = translations()
const WEB = 'web01.example.com'
const AGENT_HEAD = 'identity: /i\nspool: { directory: /s }\nrelays: [ r.example.com:6514 ]\n'
const RELAY_HEAD = 'identity: /i\nspool: { directory: /s }\n'
const LISTENER = { classic: '', place: 'listeners', yaml: '{ tls: "0.0.0.0:6514", clients: { names: [ "*" ] } }', text: '' } as const
const DESTINATION = { classic: '', place: 'destinations', yaml: '{ files: /f }', text: '' } as const

/** What the run of all rows below cannot have, since a test's host need not have it, and where it is run. */
const ELSEWHERE: Readonly<Record<string, readonly [file: string, title: string]>> = {
  'file("/proc/kmsg"), pipe("/proc/kmsg")': ['interop/sources.test.ts', "the kernel's messages come once"],
  'system(), systemd-journal()': ['interop/sources.test.ts', 'the journal is followed across kills'],
}

test('each translation is read by the real schema, on the relay too where it may stand there, and no other row is without its reason', (t) => {
  t.true(ROWS.length > 80)
  t.is(new Set(ROWS.map(({ classic }) => classic)).size, ROWS.length, 'no row stands twice')
  for (const row of ROWS) {
    const { classic, place, yaml, text } = row
    if (place === 'none') {
      t.regex(text, /^because /, classic)
      continue
    }
    t.true(PLACES.includes(place), `${classic}: ${place}`)
    const list = listed([row], place)
    if (place === 'agent.yaml') {
      const head = AGENT_HEAD.split('\n').filter((line) => !yaml.startsWith(`${line.split(':')[0]}:`) && line !== '')
      t.notThrows(() => load(`${head.join('\n')}\n${yaml}\n`, agentOptions), yaml)
    } else if (place === 'sources' || place === 'rules') t.notThrows(() => load(AGENT_HEAD + list, agentOptions), yaml)
    if (place === 'listeners') t.notThrows(() => load(RELAY_HEAD + list + listed([DESTINATION], 'destinations'), relayOptions), yaml)
    if (place === 'destinations') t.notThrows(() => load(RELAY_HEAD + listed([LISTENER], 'listeners') + list, relayOptions), yaml)
    if (place === 'rules') {
      const lists = listed([LISTENER], 'listeners') + listed([DESTINATION], 'destinations')
      t.notThrows(() => load(RELAY_HEAD + lists + list, relayOptions), yaml)
    }
  }
})

/** What is sent to /dev/log, by words that stand in that one alone. */
const LOCAL = {
  'Failed password for root': '<38>sshd[7]: Failed password for root',
  'disk broken': '<27>app: disk broken',
  'connect from there': '<22>postfix/smtpd[9]: connect from there',
  'nightly run': '<78>cron[1]: nightly run',
  overheated: '<186>app: overheated',
  'GET refused it': '<13>web: GET refused it',
  structured: '<165>1 2026-11-23T12:00:00.123456+00:00 claimed evt 4711 ID7 [origin@32473 ip="192.0.2.1"] structured',
  idle: '<30>other: idle',
  'all is well': '<30>app: all is well',
  noise: '<135>chatter: noise',
  'health check': '<14>web: health check',
  'no such user': '<35>su: no such user',
}
const NOISE_COUNT = 20
/** Between the macros of a line: nothing has it in it. */
const BAR = ' ¦ '
/** What comes by the agent's other sources. */
const BY_SOURCE = [
  'by unix-stream',
  'by a file',
  'by java#012#011at a',
  'by a pipe',
  'by a program',
  'by local tcp',
  'by local udp',
  'by the small socket',
]
const ALL: readonly string[] = [...Object.keys(LOCAL), ...BY_SOURCE]
/** What comes to the relay from others, and under which name it is filed. */
const FOREIGN: Readonly<Record<string, string>> = {
  'by mutual TLS': 'box7.example.com',
  'by the tunnel': 'tunnel.example.com',
  'by relay udp': 'switches.example.com',
  'by relay unix': 'local.example.com',
  'with its name kept': 'sw1.site1.example.com',
  'with its name not kept': 'tunnel3.example.com',
  'one of few': 'box7.example.com',
  'by a trusted name': WEB,
}

function textIn(line: string): string | undefined {
  return [...ALL, ...Object.keys(FOREIGN)].find((text) => line.includes(text))
}

/** The texts that stand in a file, each once however often it comes. */
function textsIn(file: string): string[] {
  const found = linesOf(file).map(textIn)
  return [...new Set(found.filter((text) => text !== undefined))].sort()
}

function but(...texts: string[]): string[] {
  return ALL.filter((text) => !texts.includes(text))
}

/** What each file of the agent's rules gets. */
const BY_RULE: Readonly<Record<string, readonly string[]>> = {
  facility: ['Failed password for root', 'no such user'],
  level: ['overheated'],
  levels: ['disk broken', 'overheated', 'no such user'],
  maillog: ['connect from there'],
  program: ['Failed password for root'],
  match: ['GET refused it'],
  expression: ['Failed password for root'],
  programs: ['connect from there'],
  structured: ['structured'],
  combined: ['disk broken', 'idle'],
  messages: but('connect from there', 'nightly run', 'noise'),
  alerts: ['overheated'],
  'auth.err': ['no such user'],
  all: ALL,
  'app.only': ['by a file'],
  'mail.1': ['connect from there'],
  'mail.2': ['connect from there'],
  chatter: ['noise'],
  rest: but('health check', 'noise'),
}

/** What each file of the relay's destinations gets. */
const BY_DESTINATION: Readonly<Record<string, readonly string[]>> = {
  host: [...ALL, 'by a trusted name'],
  listed: [...ALL, 'by a trusted name'],
  network: [...ALL, ...Object.keys(FOREIGN)],
  documents: ['overheated'],
  synced: [...ALL, ...Object.keys(FOREIGN)],
  bsd: [...ALL, ...Object.keys(FOREIGN)],
  iso: [...ALL, ...Object.keys(FOREIGN)],
  utc: [...ALL, ...Object.keys(FOREIGN)],
  own: [...ALL, ...Object.keys(FOREIGN)],
  'remote/web01.example.com': [...ALL, 'by a trusted name'],
  ...Object.fromEntries(
    [...new Set(Object.values(FOREIGN))].map((name) => [
      `hosts/${name}/messages`,
      [...(name === WEB ? ALL : []), ...Object.keys(FOREIGN).filter((text) => FOREIGN[text] === name)],
    ]),
  ),
}

/** Waits until just these texts stand in a file. */
async function shows(t: ExecutionContext, file: string, texts: readonly string[]): Promise<void> {
  const wanted = [...texts].sort()
  const found = (): string => `${file}: ${textsIn(file).join(', ')}`
  await eventually(`${wanted.length} texts in ${file}`, () => textsIn(file).length >= wanted.length, found, 30_000)
  t.deepEqual(textsIn(file), wanted, file)
}

/** The rows of which no piece is among those. */
function rowsWithout(rows: readonly Row[], pieces: ReadonlySet<string>): string[] {
  const patterns = [...pieces].map((piece) => new RegExp(`${piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w.])`))
  return rows.filter(({ place, yaml }) => place !== 'none' && !patterns.some((pattern) => pattern.test(yaml))).map(({ yaml }) => yaml)
}

/** Ports in the order in which a daemon says that it listens. */
async function portsOf(daemon: Daemon): Promise<number[]> {
  return [...(await daemon.event('started')).matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port))
}

/** The port of the row whose listener or source begins so. */
function portOf(ports: readonly number[], rows: readonly Row[], place: 'listeners' | 'sources', classic: string): [number, string] {
  const bound = rows.filter((row) => row.place === place && /^\{ (?:tls|tcp|udp):/.test(row.yaml))
  const at = bound.findIndex((row) => row.classic.startsWith(classic))
  if (at === -1) throw new Error(`no row ${classic}`)
  return [ports[at]!, bound[at]!.yaml]
}

function sendUdp(port: number, text: string): void {
  const socket = dgram.createSocket('udp4')
  socket.send(text, port, '127.0.0.1', () => socket.close())
}

/** What each macro of the manual gives for the message that is called structured, at the central relay and in its zone, UTC. */
const MACRO_VALUES: Readonly<Record<string, string | RegExp>> = {
  $HOST: WEB,
  $HOST_CLAIMED: WEB,
  $PEER: 'relay.example.com',
  $VIA: 'relay.example.com',
  $SOURCEIP: '127.0.0.1',
  $PROGRAM: 'evt',
  $PID: /^\d+$/,
  $FACILITY: 'local4',
  $LEVEL: 'notice',
  $PRI: '165',
  $TAG: 'a5',
  '$YEAR/$MONTH/$DAY': '2026/11/23',
  '$HOUR:$MIN:$SEC': '12:00:00',
  $YEAR: '2026',
  '$R_YEAR/$R_MONTH/$R_DAY': /^\d{4}\/\d\d\/\d\d$/,
  $WEEKDAY: 'Mon',
  $DATE: 'Nov 23 12:00:00',
  $ISODATE: '2026-11-23T12:00:00+00:00',
  $R_ISODATE: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/,
  $UNIXTIME: '1795435200',
  '$YEAR $DATE': '2026 Nov 23 12:00:00',
  $MSGHDR: /^evt\[\d+\]: $/,
  $MSG: 'structured',
  $SDATA: /\[origin@32473 ip="192\.0\.2\.1"\]$/,
  '${.SDATA.origin@32473.ip}': '192.0.2.1',
  $MSGID: 'ID7',
  $UNIQID: /^[0-9a-f]{32}-\d+$/,
}
const MACRO_CODES = Object.keys(MACRO_VALUES)

test.serial('all translations run together: every message is where the table says', async (t) => {
  t.timeout(180_000)
  const chain = await Chain.make(t)
  const world = new Machines(t, chain)
  const shown = new Set<string>()
  const rows = ROWS.filter(({ classic }) => ELSEWHERE[classic] === undefined)
  for (const [file, title] of Object.values(ELSEWHERE))
    t.true(fs.readFileSync(path.join(import.meta.dirname, '..', file), 'utf8').includes(title))

  // The central relay, and the receivers that are no relays.
  const head = 'identity: /var/lib/loghop/identity\nspool: { directory: /var/lib/loghop/spool }\n'
  const files = '{ files: /var/log/hosts/$HOST/messages }'
  const macros = `{ files: /var/log/macros, format: ${JSON.stringify(MACRO_CODES.join(BAR))}, zone: UTC }`
  const central = await world.start('central', `${head}${listed([LISTENER], 'listeners')}destinations:\n  - ${files}\n  - ${macros}\n`)
  world.ports['central.example.com:6514'] = (await portsOf(central))[0]!
  const siem = new OctetReceiver(t, world.place('central', 'var/lib/loghop/identity'))
  world.ports['siem.example.com:6514'] = await siem.listen()
  const lines = new LineReceiver(t)
  const datagrams = await receiveDatagrams(t, await lines.listen())
  world.ports['192.0.2.9:514'] = lines.port

  const relay = await world.start('relay', head + listed(rows, 'listeners') + listed(rows, 'destinations'))
  const relayPorts = await portsOf(relay)
  const listener = (classic: string) => {
    const [port, yaml] = portOf(relayPorts, rows, 'listeners', classic)
    shown.add(yaml)
    return port
  }
  world.ports['relay.example.com:6514'] = listener('tcp(ip(0.0.0.0)), network()')

  const terminal = await startTerminal(t, chain.place('console'), true)
  world.console = terminal.device
  fs.mkdirSync(world.place('agent', 'dev'), { recursive: true })
  execFileSync('mkfifo', [world.place('agent', 'dev/xconsole')])
  const reader = spawn('sh', ['-c', `exec cat ${world.place('agent', 'dev/xconsole')} >${chain.place('xconsole')}`])
  t.teardown(() => void reader.kill('SIGKILL'))
  fs.mkdirSync(world.place('agent', 'run/other'), { recursive: true })
  startReceiver(t, world.place('agent', 'run/other/log'), chain.place('other-log'))
  const stream = net.createServer((socket) => socket.pipe(fs.createWriteStream(chain.place('other-stream'))))
  await new Promise<void>((resolve) => stream.listen(world.place('agent', 'run/other/stream'), resolve))
  t.teardown(() => stream.close())
  const agent = await world.start('agent', listed(rows, 'agent.yaml') + listed(rows, 'sources') + listed(rows, 'rules'))
  const agentPorts = await portsOf(agent)
  const source = (classic: string) => {
    const [port, yaml] = portOf(agentPorts, rows, 'sources', classic)
    shown.add(yaml)
    return port
  }

  // Everything that is said, everywhere.
  const at = (file: string) => {
    shown.add(`/${file}`)
    return world.place('agent', file)
  }
  t.is(sendDatagrams(at('dev/log'), [...Object.values(LOCAL), ...Array<string>(NOISE_COUNT - 1).fill(LOCAL.noise)]), undefined)
  t.is(sendDatagrams(at('run/loghop/small'), [`<13>t: by the small socket ${'x'.repeat(20_000)}`]), undefined)
  await say({ path: at('run/loghop/stream') }, '<13>t: by unix-stream\n')
  fs.writeFileSync(at('var/log/app/app.log'), 'by a file\n')
  fs.writeFileSync(at('var/log/java/one.log'), 'by java\n\tat a\n')
  fs.writeFileSync(at('run/loghop/app'), 'by a pipe\n')
  execFileSync('sh', ['-c', `echo by a program >${at('run/loghop/program')}`])
  await say({ host: '127.0.0.1', port: source('tcp(') }, '<13>t: by local tcp\n')
  sendUdp(source('udp('), '<13>t: by local udp')

  const keyAndCert = async (name: string) => {
    const identity = await chain.issue(name, { name: `${name}.example.com`, role: 'agent' })
    return { key: fs.readFileSync(`${identity}/key.pem`, 'utf8'), cert: fs.readFileSync(`${identity}/cert.pem`, 'utf8') }
  }
  const box7 = await keyAndCert('box7')
  const place = (classic: string) => ({ host: '127.0.0.1', port: listener(classic) })
  await sayTls(place('tcp(ip(0.0.0.0)), network()'), box7, '<13>t: by mutual TLS\n')
  await say(place('tcp(ip(127.0.0.1)) behind'), '<13>Nov 25 03:12:07 liar t: by the tunnel\n')
  sendUdp(listener('udp(ip(127.0.0.1)) on'), '<13>t: by relay udp')
  await say({ path: world.place('relay', 'run/loghop/relay') }, '<13>t: by relay unix\n')
  await say(place('keep_hostname(yes)'), '<13>Nov 25 03:12:07 sw1.site1.example.com t: with its name kept\n')
  await say(place('keep_hostname(no)'), '<13>Nov 25 03:12:07 sw1.site1.example.com t: with its name not kept\n')
  await sayTls(place('max-connections(300)'), box7, '<13>t: one of few\n')
  await sayTls(place('trusted-dn()'), await keyAndCert('web01'), '<13>t: by a trusted name\n')
  for (const [classic, reason] of [
    ['trusted-dn()', /peer-refused: .*box7\.example\.com/],
    ['netmask("192.0.2.0/24") around', /peer-refused: .*127\.0\.0\.1.*allow/],
  ] as const) {
    await sayTls(place(classic), box7, '<13>t: refused\n')
    await relay.waitFor(reason)
  }

  // Where it landed, once nothing is under way that could land elsewhere.
  await shows(t, world.place('agent', 'var/log/all'), BY_RULE['all']!)
  await shows(t, world.place('relay', 'var/log/iso'), BY_DESTINATION['iso']!)
  await eventually('all to be delivered', async () => (await world.waiting('agent')).length === 0)
  await eventually('all but what waits for its directory', async () =>
    (await world.waiting('relay')).every((one) => one.includes('/absent/')),
  )
  for (const [file, texts] of Object.entries(BY_RULE)) await shows(t, at(`var/log/${file}`), texts)
  for (const file of ['xconsole', 'other-log', 'other-stream', 'console']) await shows(t, chain.place(file), ['overheated'])
  for (const piece of ['/dev/console', '/dev/xconsole', '/run/other/log', '/run/other/stream']) shown.add(piece)
  const on = (file: string) => world.place('relay', path.join('var/log', file))
  for (const [file, texts] of Object.entries(BY_DESTINATION)) {
    await shows(t, on(file), texts)
    shown.add(`/var/log/${file.replace(/^(remote|hosts)\/[^/]+/, '$1/$HOST')}`)
  }
  for (const name of new Set(Object.values(FOREIGN)))
    await shows(t, world.place('central', `var/log/hosts/${name}/messages`), BY_DESTINATION[`hosts/${name}/messages`]!)
  shown.add('central.example.com:6514').add('relay.example.com:6514').add('web01.example.com')
  await eventually('what is forwarded', () => lines.messages.length > 0 && datagrams.datagrams.length > 0 && siem.messages.length > 0)
  for (const text of [...lines.messages, ...datagrams.datagrams.map(String), ...siem.messages])
    t.regex(text, /^<186>1 \S+ web01\.example\.com app \d+ - .*overheated$/)
  shown.add('protocol: tcp').add('protocol: udp').add('protocol: syslog-tls')
  const own = world.place('relay', 'var/log/hosts/web01.example.com/messages')
  t.true(linesOf(own).some((line) => / loghop-agent\[\d+\]: Agent web01\.example\.com takes messages/.test(line)))
  t.regex(linesOf(own).find((line) => line.includes('by the small socket'))!, /: by the small socket x{8100,8192}$/)
  for (const piece of ['internal', '/run/loghop/relay', '/var/log/java/*.log', 'health check']) shown.add(piece)

  // What lines look like.
  const all = (file: string, pattern: RegExp) =>
    t.true(
      linesOf(on(file)).every((line) => pattern.test(line)),
      file,
    )
  all('bsd', /^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ \S/)
  all('iso', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?([+-]\d\d:\d\d|Z) \S+\.example\.com(\/\S+)? \S/)
  all('own', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d \S+\.example\.com \S/)
  t.true(linesOf(on('utc')).includes('Nov 23 12:00:00 structured'))
  t.is(JSON.parse(linesOf(on('documents'))[0]!)['message'], 'overheated')
  t.true(linesOf(on('iso')).some((line) => line.includes(' tunnel.example.com/liar t: by the tunnel')))

  // Where there is a date in the path, and what a file is like.
  t.deepEqual(textsIn(on(`days/${WEB}/2026/11/23/local4`)), ['structured'])
  const fileBelow = (folder: string) =>
    fs.readdirSync(on(folder), { recursive: true, encoding: 'utf8' }).map((name) => on(path.join(folder, name)))
  for (const folder of [`received/${WEB}`, 'kept']) {
    const texts = fileBelow(folder)
      .filter((file) => fs.statSync(file).isFile())
      .flatMap((file) => textsIn(file))
    for (const text of ALL) t.true(texts.includes(text), `${folder}: ${text}`)
    t.false(fs.existsSync(on(`received/${WEB}/2026/11/23`)))
  }
  const { mode, gid } = fs.statSync(on(`owned/${WEB}/messages`))
  t.is(mode & 0o777, 0o644)
  t.is(fs.statSync(on(`owned/${WEB}`)).mode & 0o777, 0o755)
  if (process.getuid?.() === 0) t.is(gid, Number(execFileSync('getent', ['group', 'adm'], { encoding: 'utf8' }).split(':')[2]))
  const noise = linesOf(on('limited')).filter((line) => line.endsWith(': noise')).length
  t.true(noise >= 2 && noise < NOISE_COUNT, `${noise} of ${NOISE_COUNT}`)
  const again = () => linesOf(on('folded')).flatMap((line) => / chatter: last message repeated (\d+) times$/.exec(line)?.[1] ?? [])
  const once = () => linesOf(on('folded')).filter((line) => line.endsWith(': noise')).length
  // Until another message of the host has come.
  await eventually('the noise in all', () => once() + again().reduce((sum, count) => sum + Number(count), 0) === NOISE_COUNT)
  t.true(again().length > 0)
  await eventually('a mark', () => linesOf(on('iso')).some((line) => / web01\.example\.com -: -- MARK --$/.test(line)))
  t.true(linesOf(at('var/log/all')).some((line) => line.endsWith(' -- MARK --')))
  t.false(linesOf(at('var/log/auth.err')).some((line) => line.endsWith(' -- MARK --')))
  shown.add('mark: 20min').add('/var/log/folded')
  t.false(fs.existsSync(on('absent')), 'with create_dirs: false nothing is made')
  fs.mkdirSync(on('absent'))
  await shows(t, on('absent/messages'), [...ALL, ...Object.keys(FOREIGN)])
  for (const name of ['days', 'received', 'owned']) shown.add(`/var/log/${name}/$HOST`)
  shown.add('/var/log/kept/$R_YEAR$R_MONTH$R_DAY').add('/var/log/limited').add('/var/log/absent/messages')

  // What has nothing to show but its state, and the macros.
  for (const users of ['*', 'root,alice']) t.true((await world.destinations('agent')).includes(`users ${users}: open`))
  shown.add('to: "*"').add('to: "root,alice"')
  for (const place of ['spool/segments', 'identity/cert.pem']) t.true(fs.existsSync(world.place('agent', `var/lib/loghop/${place}`)))
  shown.add('/var/lib/loghop/spool').add('/var/lib/loghop/identity')
  await shows(t, world.place('central', 'var/log/macros'), [...ALL, ...Object.keys(FOREIGN)])
  const written = linesOf(world.place('central', 'var/log/macros')).map((line) => line.split(BAR))
  const structured = written.find((values) => values.includes('structured'))!
  for (const [index, [code, value]] of Object.entries(MACRO_VALUES).entries()) {
    if (typeof value === 'string') t.is(structured[index], value, code)
    else t.regex(structured[index]!, value, code)
  }
  const tunnelled = written.find((values) => values.includes('by the tunnel'))!
  t.deepEqual(tunnelled.slice(0, 2), ['tunnel.example.com', 'liar'])
  const macroCells = TRANSLATIONS.rows('| macro of syslog-ng | Loghop |').map(([, text]) => text!)
  t.deepEqual(
    new Set(macroCells.filter((text) => !text.startsWith('none, because ')).map((text) => codeIn(text)[0]!)),
    new Set(MACRO_CODES),
  )
  t.deepEqual(rowsWithout(rows, shown), [], 'every row has been shown')
})

test.serial('the twin of the recipe does what the recipe did', async (t) => {
  const chain = await Chain.make(t)
  const world = new Machines(t, chain)
  const [agentYaml, relayYaml] = TRANSLATIONS.blocks('yaml')
  const relay = await world.start('relay', relayYaml!)
  world.ports['loghost.example.com:6514'] = (await portsOf(relay))[0]!
  const agent = await world.start('agent', agentYaml!)
  const at = (file: string) => world.place('agent', file)
  t.is(sendDatagrams(at('dev/log'), Object.values(LOCAL)), undefined)
  fs.writeFileSync(at('var/log/app/app.log'), 'by a file\n')
  await shows(t, at('var/log/auth.log'), ['Failed password for root', 'no such user'])
  const kept = ['disk broken', 'overheated', 'GET refused it', 'structured', 'idle', 'all is well', 'health check']
  await shows(t, at('var/log/messages'), kept)
  await shows(t, world.place('relay', 'var/log/hosts/auth.log'), ['Failed password for root', 'no such user'])
  const hosts = world.place('relay', 'var/log/hosts')
  const shipped = (): string[] => {
    const names = fs.readdirSync(hosts, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('/messages'))
    t.true(names.every((name) => /^web01\.example\.com\/\d{4}\/\d\d\/\d\d\/messages$/.test(name)))
    return names.flatMap((name) => textsIn(path.join(hosts, name))).sort()
  }
  const wanted = [...Object.keys(LOCAL), 'by a file']
  await eventually('all at the loghost', () => shipped().length >= wanted.length)
  t.deepEqual(shipped(), wanted.sort())
  t.deepEqual(await agent.end('SIGTERM'), { code: 0, signal: null })
})
