import * as fs from 'node:fs'
import * as net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { AGENT_NAME, Chain, linesOf, type Status } from '../support/chain.ts'
import { Daemon, loghop } from '../support/daemon.ts'
import { eventually } from '../support/eventually.ts'
import { sendDatagrams } from '../support/local-sender.ts'
import { sendOne } from '../support/send-one.ts'

const LIMIT_BYTES = 64 << 10
const PID = process.pid

/** What stands behind time and host. */
function textOf(line: string): string {
  const match = /^(?:-|\d{4}-\d\d-\d\dT\S+) web01\.example\.com (.*)$/.exec(line)
  return match === null ? `not as expected: ${line}` : match[1]!
}

async function agentStatus(chain: Chain): Promise<Status> {
  const { stdout } = await loghop('agent', 'status', '--json', '--config', chain.agentConfig)
  return JSON.parse(stdout) as Status
}

interface Datagram {
  readonly what: string
  readonly sent: string | Buffer
  readonly filed: string
}

const HEAD = '<13>app: '
const DATAGRAMS: readonly Datagram[] = [
  { what: 'a plain message', sent: '<13>app: hello', filed: `app[${PID}]: hello` },
  { what: 'NULs', sent: '<13>app: a\0b\0', filed: `app[${PID}]: a#000b` },
  { what: 'LF and NUL at the end', sent: '<13>app: text\n\0', filed: `app[${PID}]: text` },
  { what: 'a line end within', sent: '<13>app: one\ntwo', filed: `app[${PID}]: one#012two` },
  { what: 'no UTF-8', sent: Buffer.from('<13>app: \xff\xc0\xaf end', 'latin1'), filed: `app[${PID}]: #377#300#257 end` },
  { what: 'UTF-8', sent: '<13>app: grüße 🙂', filed: `app[${PID}]: grüße 🙂` },
  { what: 'an escape sequence', sent: '<13>app: \x1b[31mred', filed: `app[${PID}]: #033[31mred` },
  { what: 'nothing at all', sent: '', filed: `-[${PID}]: ` },
  { what: 'one NUL', sent: '\0', filed: `-[${PID}]: ` },
  { what: 'a PRI alone', sent: '<13>', filed: `-[${PID}]: ` },
  { what: 'half a PRI', sent: '<1', filed: `-[${PID}]: <1` },
  { what: 'no PRI', sent: 'no pri here', filed: `-[${PID}]: no pri here` },
  { what: 'PRI 999', sent: '<999>app: text', filed: `-[${PID}]: <999>app: text` },
  { what: 'PRI 192', sent: '<192>app: text', filed: `-[${PID}]: <192>app: text` },
  { what: 'an endless PRI', sent: `<${'1'.repeat(300)}>app: text`, filed: `-[${PID}]: <${'1'.repeat(300)}>app: text` },
  { what: 'a claimed pid', sent: '<13>app[1]: text', filed: `app[${PID}]: text` },
  { what: 'a claimed pid that is none', sent: '<13>app[x y]: text', filed: `-[${PID}]: app[x y]: text` },
  { what: 'RFC 3164', sent: '<13>Nov 23 02:50:00 app[1]: text', filed: `app[${PID}]: text` },
  { what: 'RFC 3164 with a date that is none', sent: '<13>Foo 99 99:99:99 app: text', filed: `-[${PID}]: Foo 99 99:99:99 app: text` },
  { what: 'RFC 5424', sent: '<13>1 2026-11-23T02:50:00.5Z db01 app 1 ID [x@1 a="b"] text', filed: `app[${PID}]: text` },
  { what: 'RFC 5424 of hyphens', sent: '<13>1 - - - - - -', filed: `-[${PID}]: ` },
  {
    what: 'RFC 5424 with bad structured data',
    sent: '<13>1 2026-11-23T02:50:00Z db01 app 1 - [bad text',
    filed: `-[${PID}]: 1 2026-11-23T02:50:00Z db01 app 1 - [bad text`,
  },
  {
    what: 'RFC 5424 with a host that is a path',
    sent: '<13>1 2026-11-23T02:50:00Z ../../etc/passwd app 1 - - text',
    filed: `app[${PID}]: text`,
  },
  { what: '8 KiB', sent: HEAD.padEnd(8192, 'a'), filed: `app[${PID}]: ${'a'.repeat(8192 - HEAD.length)}` },
  { what: '64 KiB', sent: HEAD.padEnd(LIMIT_BYTES, 'b'), filed: `app[${PID}]: ${'b'.repeat(LIMIT_BYTES - HEAD.length)}` },
  {
    what: 'a byte over the limit',
    sent: HEAD.padEnd(LIMIT_BYTES + 1, 'c'),
    filed: `app[${PID}]: ${'c'.repeat(LIMIT_BYTES - HEAD.length)}`,
  },
  { what: 'far over the limit', sent: HEAD.padEnd(150_000, 'd'), filed: `app[${PID}]: ${'d'.repeat(LIMIT_BYTES - HEAD.length)}` },
  {
    what: '64 KiB of what grows in the file',
    sent: HEAD.padEnd(LIMIT_BYTES, '\x01'),
    filed: `app[${PID}]: ${'#001'.repeat(LIMIT_BYTES - HEAD.length)}`,
  },
]

test('whatever bytes a datagram has, it becomes one line, with the pid that the kernel knows', async (t) => {
  const chain = await Chain.start(t)
  t.is(
    sendDatagrams(
      chain.socket,
      DATAGRAMS.map(({ sent }) => sent),
    ),
    undefined,
  )
  const lines = await chain.lines(DATAGRAMS.length)
  for (const [index, { what, filed }] of DATAGRAMS.entries()) {
    const text = textOf(lines[index]!)
    t.true(
      text === filed,
      `${what}: filed as ${text.slice(0, 300)} (${text.length} characters), not ${filed.slice(0, 300)} (${filed.length})`,
    )
  }
  const { metrics, loss } = await agentStatus(chain)
  t.is(metrics['loghop_messages_cut_total'], 2)
  t.is(metrics['loghop_messages_received_total'], DATAGRAMS.length)
  t.true(metrics['loghop_messages_unparsed_total']! >= 5)
  t.deepEqual(loss, {})
  await chain.relay.end('SIGTERM')
  t.is(linesOf(chain.file).length, DATAGRAMS.length)
})

test('the times that a message claims are kept, within what they can tell', async (t) => {
  const chain = await Chain.start(t)
  sendDatagrams(chain.socket, ['<13>1 2026-11-23T02:50:00.5-03:00 - app - - - text', '<13>1 yesterday - app - - - text', '<13>app: text'])
  const [claimed, wrong, none] = await chain.lines(3)
  t.regex(claimed!, /^2026-11-23T02:50:00\.5-03:00 web01\.example\.com app\[\d+\]: text$/)
  t.regex(wrong!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\S+ web01\.example\.com -\[\d+\]: 1 yesterday - app/)
  t.true(Math.abs(Date.parse(none!.split(' ')[0]!) - Date.now()) < 60_000)
})

function connected(path: string): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path, () => resolve(socket))
    socket.once('error', reject)
  })
}

function written(socket: net.Socket, bytes: string | Buffer): Promise<void> {
  return new Promise((resolve, reject) => socket.write(bytes, (error) => (error ? reject(error) : resolve())))
}

async function streamChain(t: ExecutionContext): Promise<Chain> {
  const chain = await Chain.make(t)
  chain.agentOptions['sources'] = [{ 'unix-stream': chain.socket, limit: 1024 }]
  await chain.startRelay()
  await chain.startAgent()
  return chain
}

test('a stream ends its messages with NUL, with LF, or by closing', async (t) => {
  const chain = await streamChain(t)
  const socket = await connected(chain.socket)
  await written(socket, '<13>app: nul\0<13>app: lf\n<13>app[1]: bo')
  await chain.lines(2)
  await written(socket, 'th halves\n\n\0<13>app: cut by the close')
  socket.end()
  const texts = (await chain.lines(4)).map(textOf)
  t.deepEqual(
    texts,
    ['nul', 'lf', 'both halves', 'cut by the close'].map((text) => `app[${PID}]: ${text}`),
  )
})

test('a stream message over the limit is cut, counted once, and what follows is not harmed', async (t) => {
  const chain = await streamChain(t)
  const socket = await connected(chain.socket)
  await written(socket, `${HEAD.padEnd(300_000, 'e')}\n<13>app: next\n${HEAD.padEnd(1024, 'f')}\n${HEAD.padEnd(5000, 'g')}`)
  socket.end()
  const texts = (await chain.lines(4)).map(textOf)
  const full = 1024 - HEAD.length
  t.deepEqual(
    texts,
    ['e'.repeat(full), 'next', 'f'.repeat(full), 'g'.repeat(full)].map((text) => `app[${PID}]: ${text}`),
  )
  t.is((await agentStatus(chain)).metrics['loghop_messages_cut_total'], 2)
  await chain.relay.end('SIGTERM')
  t.is(linesOf(chain.file).length, 4)
})

test('what was written to a stream before the agent stops is taken', async (t) => {
  const chain = await streamChain(t)
  const socket = await connected(chain.socket)
  socket.on('error', () => undefined)
  await written(socket, '<13>app: first\n')
  await chain.lines(1)
  // While it stands still, the kernel takes as much as its buffer holds.
  chain.agent.signal('SIGSTOP')
  const line = `${HEAD.padEnd(500, 'x')}\n`
  await written(socket, line.repeat(200))
  chain.agent.signal('SIGTERM')
  chain.agent.signal('SIGCONT')
  t.deepEqual(await chain.agent.ended, { code: 0, signal: null })
  await chain.relay.end('SIGTERM')
  t.is(linesOf(chain.file).length, 201)
})

test('the socket file of an agent that was killed is replaced', async (t) => {
  const chain = await Chain.start(t)
  await chain.agent.end('SIGKILL')
  t.true(fs.lstatSync(chain.socket).isSocket())
  t.is(sendDatagrams(chain.socket, ['lost']), 'ECONNREFUSED')
  await chain.startAgent()
  sendOne(chain, 'hello')
  t.regex((await chain.lines(1))[0]!, /hello$/)
})

test('the socket is for everyone whatever the umask, and gone after the stop', async (t) => {
  const chain = await Chain.make(t)
  chain.agentOptions['sources'] = [
    { unix: chain.socket },
    { 'unix-stream': chain.place('stream') },
    { unix: chain.place('own'), mode: '0600' },
  ]
  const umask = process.umask(0o077)
  t.teardown(() => process.umask(umask))
  await chain.startAgent()
  process.umask(umask)
  const modes = ['log', 'stream', 'own'].map((name) => (fs.statSync(chain.place(name)).mode & 0o7777).toString(8))
  t.deepEqual(modes, ['666', '666', '600'])
  t.deepEqual(await chain.agent.end('SIGTERM'), { code: 0, signal: null })
  for (const name of ['log', 'stream', 'own']) t.false(fs.existsSync(chain.place(name)), `${name} is still there`)
})

/** Starts an agent that must not run. @returns what it said */
async function refusedStart(t: ExecutionContext, chain: Chain): Promise<string> {
  const agent = Daemon.spawn(t, 'agent', chain.agentConfig)
  t.deepEqual(await agent.ended, { code: 1, signal: null }, agent.said)
  await agent.closed()
  return agent.said
}

test('the socket of a running process is not taken from it', async (t) => {
  const chain = await Chain.start(t)
  chain.agentOptions['spool'] = { directory: chain.place('second-spool') }
  const said = await refusedStart(t, chain)
  t.regex(said, /loghop: Cannot take over \S+\/log: another process listens on it\n {2}Stop that daemon first/)
  sendOne(chain, 'still served by the first')
  t.regex((await chain.lines(1))[0]!, /still served by the first$/)
})

test('nor is a stream socket, and nothing but a stale socket is removed', async (t) => {
  const chain = await Chain.make(t)
  const server = net.createServer()
  t.teardown(() => server.close())
  await new Promise<void>((resolve) => server.listen(chain.socket, resolve))
  t.regex(await refusedStart(t, chain), /another process listens on it/)
  t.true(fs.lstatSync(chain.socket).isSocket())
  for (const kind of ['unix', 'unix-stream']) {
    chain.agentOptions['sources'] = [{ [kind]: chain.place('link') }]
    fs.symlinkSync(chain.place('elsewhere'), chain.place('link'))
    t.regex(await refusedStart(t, chain), /Cannot take over \S+\/link: it is a symbolic link to \S+\/elsewhere/)
    t.true(fs.lstatSync(chain.place('link')).isSymbolicLink())
    t.false(fs.existsSync(chain.place('elsewhere')))
    fs.unlinkSync(chain.place('link'))
    fs.writeFileSync(chain.place('link'), 'precious')
    t.regex(await refusedStart(t, chain), /Cannot take over \S+\/link: it is not a socket/)
    t.is(fs.readFileSync(chain.place('link'), 'utf8'), 'precious')
    fs.unlinkSync(chain.place('link'))
  }
})

test('when one of several sockets cannot be had, the others are given back', async (t) => {
  const chain = await Chain.make(t)
  fs.writeFileSync(chain.place('taken'), '')
  chain.agentOptions['sources'] = [{ unix: chain.socket }, { 'unix-stream': chain.place('stream') }, { unix: chain.place('taken') }]
  t.regex(await refusedStart(t, chain), /it is not a socket/)
  t.false(fs.existsSync(chain.socket))
  t.false(fs.existsSync(chain.place('stream')))
})

test('what waits in the socket when the agent stops is taken, and what comes later is refused', async (t) => {
  const chain = await Chain.start(t)
  sendOne(chain, 'first')
  await chain.lines(1)
  chain.agent.signal('SIGSTOP')
  t.is(sendDatagrams(chain.socket, ['<13>app: a', '<13>app: b', '<13>app: c', '', '<13>app: d']), undefined)
  chain.agent.signal('SIGTERM')
  chain.agent.signal('SIGCONT')
  t.deepEqual(await chain.agent.ended, { code: 0, signal: null })
  t.is(sendDatagrams(chain.socket, ['late']), 'ENOENT')
  await chain.relay.end('SIGTERM')
  const texts = linesOf(chain.file).slice(1).map(textOf)
  t.deepEqual(texts, [`app[${PID}]: a`, `app[${PID}]: b`, `app[${PID}]: c`, `-[${PID}]: `, `app[${PID}]: d`])
  await eventually('the directory of the host', () => fs.readdirSync(chain.logs).length === 1)
  t.deepEqual(fs.readdirSync(chain.logs), [AGENT_NAME])
})
