import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { AGENT_NAME, Chain, linesOf } from '../support/chain.ts'
import { loghop } from '../support/daemon.ts'
import { craftRecord, sendFrame } from '../support/hostile-peer.ts'
import { makeIdentity } from '../support/identities.ts'
import { sendOne } from '../support/send-one.ts'
import { filesBelow, treeOf } from '../support/tree.ts'

// What the daemons write to by design; all else must stay as it was.
const OWN = ['logs', 'relay-spool', 'agent-spool', 'log', 'relay.yaml', 'agent.yaml']

const HOSTILE_ORIGINS: Readonly<Record<string, string>> = {
  'a path upwards': '../../etc/passwd',
  'an absolute path': '/etc/passwd',
  'a dot': '.',
  'two dots': '..',
  nothing: '',
  'a slash': 'web01/example',
  'a name and a path': 'web01.example.com/../../victim',
  '255 characters': `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.${'e'.repeat(11)}`,
  '256 characters': 'a'.repeat(256),
  'a label of 64': `${'a'.repeat(64)}.example.com`,
  Unicode: 'wéb01.example.com',
  'a newline': 'web01\n.example.com',
  'a newline at the end': 'web01.example.com\n',
  'a NUL': 'web01\0.example.com',
  'an escape sequence': '\x1b[31mweb01',
  'a dot at the end': 'web01.example.com.',
  'a hyphen first': '-rf.example.com',
  'an address': '192.0.2.1',
}

/** No control byte but LF, and each line whole. */
function onlyCleanLines(t: ExecutionContext, chain: Chain): void {
  for (const file of filesBelow(chain.logs)) {
    const bytes = fs.readFileSync(file)
    const bad = bytes.findIndex((byte) => (byte < 0x20 && byte !== 0x0a) || byte === 0x7f)
    t.is(bad, -1, `${file} has the control byte ${bytes[bad]} at ${bad}`)
    t.is(bytes.at(-1), 0x0a, `${file} ends within a line`)
    t.notThrows(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes), `${file} is no UTF-8`)
  }
}

test('a relay that may speak for everyone still cannot name a host that is none', async (t) => {
  const chain = await Chain.make(t)
  const uris = ['urn:loghop:role:relay', 'urn:loghop:speaks-for:*']
  const identity = await makeIdentity(chain, { commonName: 'site.example.com', dnsNames: ['site.example.com'], uris })
  await chain.startRelay()
  const before = treeOf(chain.directory, OWN)
  for (const [what, origin] of Object.entries(HOSTILE_ORIGINS)) {
    const answer = await sendFrame(chain, identity, 'batch', craftRecord({ origin }))
    t.regex(answer, /^the relay refused a frame: 500 /, `an origin of ${what} was answered: ${answer}`)
  }
  t.deepEqual(treeOf(chain.directory, OWN), before)
  t.deepEqual(filesBelow(chain.logs), [])
  t.is(await sendFrame(chain, identity, 'batch', craftRecord({ origin: 'db01.example.com' })), 'acknowledged')
  t.regex((await chain.lines(1, path.join(chain.logs, 'db01.example.com/messages')))[0]!, /db01\.example\.com/)
  t.deepEqual(fs.readdirSync(chain.logs), ['db01.example.com'])
})

test('one host has one file, however a relay spells its name', async (t) => {
  const chain = await Chain.make(t)
  const uris = ['urn:loghop:role:relay', 'urn:loghop:speaks-for:*.example.com']
  const identity = await makeIdentity(chain, { commonName: 'site.example.com', dnsNames: ['site.example.com'], uris })
  await chain.startRelay()
  t.is(await sendFrame(chain, identity, 'batch', craftRecord({ origin: 'db01.example.com' })), 'acknowledged')
  const answer = await sendFrame(chain, identity, 'batch', craftRecord({ origin: 'DB01.Example.COM' }))
  await chain.relay.end('SIGTERM')
  t.deepEqual(fs.readdirSync(chain.logs), ['db01.example.com'])
  t.is(linesOf(path.join(chain.logs, 'db01.example.com/messages')).length, answer === 'acknowledged' ? 2 : 1)
})

test('a host speaks only for itself, and a relay only for the names that its certificate lists', async (t) => {
  const chain = await Chain.make(t)
  const agent = await makeIdentity(chain, {})
  const uris = ['urn:loghop:role:relay', 'urn:loghop:speaks-for:*.site1.example.com']
  const relay = await makeIdentity(chain, { commonName: 'site.example.com', dnsNames: ['site.example.com'], uris })
  // An agent that lists names has no right to them either: only relays speak for others.
  const boasting = await makeIdentity(chain, { uris: ['urn:loghop:role:agent', 'urn:loghop:speaks-for:*'] })
  await chain.startRelay()
  for (const [identity, origin] of [
    [agent, 'db01.example.com'],
    [boasting, 'db01.example.com'],
    [relay, 'db01.example.com'],
    [relay, 'deep.web.site1.example.com'],
    [relay, 'site1.example.com'],
  ] as const) {
    const answer = await sendFrame(chain, identity, 'batch', craftRecord({ origin }))
    t.regex(answer, /500 certificate of \S+ does not speak for "/, `${origin}: ${answer}`)
  }
  const line = await chain.relay.waitFor(/ warn peer-gone: .*does not speak for "db01\.example\.com"/)
  t.regex(line, /web01\.example\.com has gone/)
  t.is(await sendFrame(chain, agent, 'batch', craftRecord({ origin: AGENT_NAME })), 'acknowledged')
  t.is(await sendFrame(chain, relay, 'batch', craftRecord({ origin: 'app.site1.example.com' })), 'acknowledged')
  await chain.lines(1)
  await chain.lines(1, path.join(chain.logs, 'app.site1.example.com/messages'))
  t.deepEqual(fs.readdirSync(chain.logs).sort(), ['app.site1.example.com', AGENT_NAME])
})

const ESC = '\x1b'
const FORGED = '2026-11-23T02:50:00+00:00 db01.example.com sshd[1]: Accepted password for root'
const HOSTILE_MESSAGES: readonly (string | Buffer)[] = [
  '<13>1 2026-11-23T02:50:00Z ../../etc/passwd app 1 - - host is a path',
  `<13>1 2026-11-23T02:50:00Z ${'h'.repeat(300)} app 1 - - host is long`,
  `<13>1 2026-11-23T02:50:00Z we${ESC}[31mb app 1 - - escape in the host`,
  `<13>1 2026-11-23T02:50:00Z web01\n${FORGED} app 1 - - newline in the host`,
  `<13>1 2026-11-23T02:50:00Z web01 ap${ESC}]0;title\x07p 1 - - escape in the program`,
  `<13>1 2026-11-23T02:50:00Z web01 app\n${FORGED} 1 - - newline in the program`,
  `<13>1 2026-11-23T02:50:00Z web01 app 1\n${FORGED} - - newline in the process`,
  `<13>1 2026-11-23T02:50:00Z\n${FORGED} web01 app 1 - - newline in the time`,
  `<13>1 2026-11-23T02:50:00Z web01 app 1 - [a b="\n${FORGED}"] newline in structured data`,
  `<13>1 2026-11-23T02:50:00Z web01 app 1 - - text\n${FORGED}`,
  `<13>1 2026-11-23T02:50:00Z web01 app 1 - - text\r${FORGED}`,
  `<13>1 2026-11-23T02:50:00Z web01 app 1 - - text\u2028${FORGED}\u0085${FORGED}`,
  `<13>1 2026-11-23T02:50:00Z web01 app 1 - - ${ESC}[2J\0\x08\x7f\u202e\u009b31m`,
  Buffer.from([...Buffer.from('<13>1 2026-11-23T02:50:00Z web01 app 1 - - '), 0xff, 0xc0, 0xaf, 0x9b, 0xe2, 0x80]),
  '<13>1 2026-11-23T02:50:00Z web01 app 1 - - already #012 escaped',
  `<13>${ESC}no header at all\n${FORGED}`,
  '\n',
  '\0',
]

test('a message is one line with no control byte, whatever it holds', async (t) => {
  const chain = await Chain.make(t)
  const agent = await makeIdentity(chain, {})
  await chain.startRelay()
  const before = treeOf(chain.directory, OWN)
  t.is(await sendFrame(chain, agent, 'batch', craftRecord({ origin: AGENT_NAME, messages: HOSTILE_MESSAGES })), 'acknowledged')
  const count = HOSTILE_MESSAGES.length
  await chain.lines(count)
  for (const message of HOSTILE_MESSAGES) t.is(await sendFrame(chain, agent, 'syslog', Buffer.from(message)), 'acknowledged')
  const lines = await chain.lines(2 * count)
  await chain.relay.end('SIGTERM')
  t.is(linesOf(chain.file).length, 2 * count)
  onlyCleanLines(t, chain)
  for (const line of lines)
    t.regex(
      line,
      /^(?:-|2026-11-23T\S+|20\d\d-\S+) web01\.example\.com(?:\/\S+)? /,
      'the host that the certificate proves is not in its place',
    )
  t.false(
    lines.some((line) => line.startsWith(FORGED)),
    'a line was forged',
  )
  t.true(
    lines.some((line) => line.endsWith('already #043012 escaped')),
    'what looks escaped cannot be told from what is',
  )
  t.deepEqual(fs.readdirSync(chain.logs), [AGENT_NAME])
  t.deepEqual(treeOf(chain.directory, OWN), before)
})

interface Planted {
  /** Puts something in the way and tells how to take it away. */
  plant(chain: Chain, place: string): void
  readonly report: RegExp
}

const PLANTED: Readonly<Record<string, Planted>> = {
  'a symbolic link to a file': { plant: (chain, place) => fs.symlinkSync(chain.place('victim'), place), report: /link/ },
  'a symbolic link to a directory': { plant: (chain, place) => fs.symlinkSync(chain.place('victims'), place), report: /link/ },
  'a dangling link': { plant: (chain, place) => fs.symlinkSync(chain.place('not-there'), place), report: /link/ },
  'a FIFO': { plant: (_, place) => execFileSync('mkfifo', [place]), report: /no plain file|no directory/ },
}

const AT_THE_FILE: Readonly<Record<string, Planted>> = {
  ...PLANTED,
  'a hard link': { plant: (chain, place) => fs.linkSync(chain.place('victim'), place), report: /2 names \(hard links\)/ },
  'a directory': { plant: (_, place) => fs.mkdirSync(place), report: /no plain file/ },
}

const AT_THE_DIRECTORY: Readonly<Record<string, Planted>> = {
  ...PLANTED,
  'a plain file': { plant: (_, place) => fs.writeFileSync(place, 'mine'), report: /no directory/ },
}

async function refusesWhatIsPlanted(t: ExecutionContext, planted: Planted, place: (chain: Chain) => string): Promise<void> {
  const chain = await Chain.make(t)
  fs.writeFileSync(chain.place('victim'), 'precious')
  fs.mkdirSync(chain.place('victims'))
  fs.mkdirSync(path.dirname(place(chain)), { recursive: true })
  planted.plant(chain, place(chain))
  const before = treeOf(chain.directory, ['relay-spool', 'agent-spool', 'log', 'relay.yaml', 'agent.yaml'])
  await chain.startRelay()
  await chain.startAgent()
  sendOne(chain, 'first')
  const line = await chain.relay.event('files-failed')
  t.regex(line, planted.report)
  t.true(line.includes(place(chain)), `the place is not named: ${line}`)
  t.regex(line, /The spool keeps everything/)
  sendOne(chain, 'second')
  const status = await loghop('relay', 'status', '--config', chain.relayConfig)
  t.is(status.code, 1)
  t.regex(status.stdout, /destination .*: failing, .* behind \(Cannot write to /)
  t.deepEqual(treeOf(chain.directory, ['relay-spool', 'agent-spool', 'log', 'relay.yaml', 'agent.yaml']), before)
  fs.rmSync(place(chain), { recursive: true })
  const lines = await chain.lines(2)
  t.regex(lines[0]!, /first$/)
  t.regex(lines[1]!, /second$/)
  await chain.relay.event('files-recovered')
  t.is(fs.readFileSync(chain.place('victim'), 'utf8'), 'precious')
  t.deepEqual(fs.readdirSync(chain.place('victims')), [])
}

for (const [what, planted] of Object.entries(AT_THE_FILE))
  test(`${what} in the place of the file is refused and reported, and nothing is lost`, async (t) => {
    await refusesWhatIsPlanted(t, planted, (chain) => chain.file)
  })

for (const [what, planted] of Object.entries(AT_THE_DIRECTORY))
  test(`${what} in the place of the host's directory is refused and reported, and nothing is lost`, async (t) => {
    await refusesWhatIsPlanted(t, planted, (chain) => path.dirname(chain.file))
  })

test('a link that takes the place of an open file is not followed', async (t) => {
  const chain = await Chain.start(t)
  fs.writeFileSync(chain.place('victim'), 'precious')
  sendOne(chain, 'first')
  await chain.lines(1)
  fs.renameSync(chain.file, `${chain.file}.1`)
  fs.symlinkSync(chain.place('victim'), chain.file)
  for (let sent = 0; !chain.relay.said.includes('files-failed'); sent++) {
    t.true(sent < 2000, chain.relay.said)
    sendOne(chain, 'more')
    await Promise.race([chain.relay.event('files-failed'), new Promise((resolve) => setTimeout(resolve, 20))])
  }
  t.is(fs.readFileSync(chain.place('victim'), 'utf8'), 'precious')
  fs.unlinkSync(chain.file)
  sendOne(chain, 'last')
  await chain.relay.event('files-recovered')
  t.is(fs.readFileSync(chain.place('victim'), 'utf8'), 'precious')
})
