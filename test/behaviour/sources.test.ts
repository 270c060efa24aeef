// The agent's sources as whole programs: what is written there arrives, and what would come twice is refused.

import { spawn } from 'node:child_process'
import * as dgram from 'node:dgram'
import * as fs from 'node:fs'
import * as net from 'node:net'
import test from 'ava'
import { Chain } from '../support/chain.ts'
import { Daemon, ENTRY, loghop, watched } from '../support/daemon.ts'
import { say } from '../support/door.ts'
import { eventually } from '../support/eventually.ts'
import { spooledMessages } from '../support/numbered.ts'
import { difference, lineNumbers } from '../support/tailed-file.ts'

test('files are followed with their facility, program, encoding and messages of several lines', async (t) => {
  const chain = await Chain.make(t)
  fs.mkdirSync(chain.place('app'))
  fs.writeFileSync(chain.place('app/java.log'), '2026-01-02 boom\n\tat a\n\tat b\n2026-01-02 next\n')
  fs.writeFileSync(chain.place('latin'), Buffer.from('gr\xfc\xdfe\n', 'latin1'))
  fs.writeFileSync(chain.place('later'), 'before\nhalf')
  chain.agentOptions['sources'] = [
    { file: chain.place('app/*.log'), facility: 'local3', level: 'err', program: 'app', multi_line: 'indented' },
    { file: chain.place('latin'), encoding: 'latin1' },
    { file: chain.place('later'), from: 'end' },
  ]
  await chain.startRelay()
  await chain.startAgent()
  fs.appendFileSync(chain.place('later'), ' a line\nafter\n')
  await chain.lines(5)
  fs.appendFileSync(chain.place('app/new.log'), 'new file\n')
  const lines = (await chain.lines(6)).map((line) => line.replace(/^\S+ /, '')).sort()
  t.deepEqual(lines, [
    'web01.example.com app: 2026-01-02 boom#012#011at a#012#011at b',
    'web01.example.com app: 2026-01-02 next',
    'web01.example.com app: new file',
    'web01.example.com later: after',
    'web01.example.com later: half a line',
    'web01.example.com latin: grüße',
  ])
  const messages = spooledMessages(chain.place('agent-spool'))
  t.true(
    messages.some((message) => message.startsWith('<155>1 ') && message.includes(`[file@32473 path="${chain.place('app/java.log')}"]`)),
  )
})

test('a named pipe is made, its writers never lose it, and what stands in it at a stop is taken', async (t) => {
  const chain = await Chain.make(t)
  const pipe = chain.place('pipe')
  chain.agentOptions['sources'] = [{ pipe, mode: '0620' }]
  let agent = await chain.startAgent()
  t.true(fs.statSync(pipe).isFIFO())
  t.is(fs.statSync(pipe).mode & 0o777, 0o620)
  // Held over a restart: a pipe without a reader would end its writer.
  const fd = fs.openSync(pipe, fs.constants.O_RDWR | fs.constants.O_NONBLOCK)
  t.teardown(() => fs.closeSync(fd))
  fs.writeFileSync(pipe, '<34>app[7]: line 1 \nline 2 \n')
  fs.writeFileSync(pipe, 'line 3 x')
  fs.writeFileSync(pipe, 'x\n')
  const spool = chain.place('agent-spool')
  await eventually(
    'three messages',
    () => spooledMessages(spool).length >= 3,
    () => agent.said,
  )
  fs.writeSync(fd, `${Array.from({ length: 500 }, (_, index) => `line ${index + 4} `).join('\n')}\nline 504 `)
  await agent.end('SIGTERM')
  fs.writeSync(fd, '\nline 505 \n')
  agent = await chain.startAgent()
  await eventually(
    'all',
    () => spooledMessages(spool).length >= 505,
    () => agent.said,
  )
  t.is(difference(lineNumbers(spooledMessages(spool)), 505), undefined)
  t.regex(spooledMessages(spool)[0]!, /^<34>1 \S+ web01\.example\.com app 7 - - line 1 $/)
})

test('with standard input as its only source the agent ends in order behind the last line', async (t) => {
  const chain = await Chain.make(t)
  chain.agentOptions['sources'] = ['stdin', 'internal']
  await chain.startRelay()
  const child = spawn(process.execPath, [ENTRY, 'agent', 'run', '--config', chain.agentConfig], { stdio: ['pipe', 'ignore', 'ignore'] })
  const ended = watched(t, child)
  child.stdin.write(Array.from({ length: 5000 }, (_, index) => `line ${index + 1} `).join('\n'))
  child.stdin.end()
  t.deepEqual(await ended, { code: 0, signal: null })
  const messages = spooledMessages(chain.place('agent-spool'))
  t.is(difference(lineNumbers(messages), 5000), undefined)
  t.true(messages.some((message) => message.includes('Standard input has ended')))
})

test("a socket of systemd's journal is refused, beside the journal and alone, by run and by check", async (t) => {
  const chain = await Chain.make(t)
  const socket = chain.place('dev-log')
  fs.symlinkSync('/run/systemd/journal/dev-log', socket)
  for (const [sources, text] of [
    [['journal', { unix: socket }], /Cannot use both sources, unix \S+ \(it leads to \/run\/systemd\/journal\/dev-log\) and journal/],
    [[{ unix: socket }], /Cannot take messages from unix .*that socket is systemd's journal's/],
    [['journal', { 'unix-stream': '/run/systemd/journal/stdout' }], /and journal: systemd's journal takes what is written there/],
    [['journal', { unix: '/run/systemd/journal/syslog' }], /so each message would come twice/],
  ] as const) {
    chain.agentOptions['sources'] = sources
    const run = await loghop('agent', 'run', '--config', chain.agentConfig)
    t.is(run.code, 1, run.stderr)
    t.regex(run.stderr, text)
    const check = await loghop('agent', 'check', '--config', chain.agentConfig)
    t.is(check.code, 78)
    t.regex(check.stdout, text)
  }
})

test('while the spool is nearly full a file waits in its place, and goes on when there is room', async (t) => {
  t.timeout(240_000)
  const chain = await Chain.make(t)
  const file = chain.place('large')
  const count = 16_000
  const fill = 'x'.repeat(4200)
  const fd = fs.openSync(file, 'w')
  for (let line = 1; line <= count; line++) fs.writeSync(fd, `line ${line} ${fill}\n`)
  fs.closeSync(fd)
  chain.agentOptions['spool'] = { directory: chain.place('agent-spool'), limit: '64MiB' }
  chain.agentOptions['sources'] = [{ file }]
  // A port that nobody listens on yet.
  await chain.startRelay()
  await chain.relay.end('SIGTERM')
  const agent = await chain.startAgent()
  await agent.event('sources-wait')
  await agent.end('SIGKILL')
  const again = await chain.startAgent()
  await again.event('sources-wait')
  await chain.startRelay()
  const lines = await chain.lines(count)
  await again.event('sources-go-on')
  t.deepEqual(
    lines.map((line) => Number(/ large: line (\d+) /.exec(line)?.[1])),
    Array.from({ length: count }, (_, index) => index + 1),
  )
  t.true((await again.end('SIGTERM')).code === 0)
  t.false(again.said.includes('loss'), again.said)
})

test('what cannot be read is said before anything is taken in', async (t) => {
  const chain = await Chain.make(t)
  fs.writeFileSync(chain.place('plain'), '')
  for (const [source, text] of [
    [{ pipe: chain.place('plain') }, /Cannot read the named pipe \S+: it is not a named pipe/],
    [{ kernel: chain.place('absent') }, /Cannot read the kernel's messages from \S+: ENOENT/],
  ] as const) {
    chain.agentOptions['sources'] = [source]
    const daemon = Daemon.spawn(t, 'agent', chain.agentConfig)
    t.is((await daemon.ended).code, 1)
    await daemon.closed()
    t.regex(daemon.said, text)
  }
})

test('programs log by TCP in lines or counted, by RELP and by UDP, on loopback: all is of this host, and the name that they give is kept as a claim', async (t) => {
  const chain = await Chain.make(t)
  chain.agentOptions['sources'] = [{ tcp: '127.0.0.1:0' }, { tcp: '[::1]:0', limit: '1KiB' }, { udp: '127.0.0.1:0', limit: '1KiB' }]
  await chain.startRelay()
  const agent = await chain.startAgent()
  const started = await agent.event('started')
  const [tcp, tcp6, udp] = [...started.matchAll(/(?:127\.0\.0\.1|::1\]):(\d+)/g)].map((match) => Number(match[1]))
  await say({ host: '127.0.0.1', port: tcp! }, '<13>Mar  1 10:00:05 web02 app[7]: line 1\n<13>app: line 2\nline 3')
  await say({ host: '::1', port: tcp6! }, `15 <13>app: line 41199 <13>app: ${'5'.repeat(1190)}`)
  const open = '1 open 36 relp_version=0\ncommands=syslog,batch\n'
  let answers = ''
  await new Promise<void>((resolve) => {
    const client = net.connect({ host: '127.0.0.1', port: tcp! }, () => client.write(`${open}2 syslog 16 <13>app: line 6x\n`))
    client.on('data', (bytes) => {
      answers += bytes.toString('latin1')
      if (answers.includes('\n2 rsp ')) client.destroy()
    })
    client.on('close', () => resolve())
  })
  t.regex(answers, /^1 rsp \d+ 200 OK/)
  t.notRegex(answers, /batch/)
  t.regex(answers, /2 rsp 6 200 OK\n/)
  const socket = dgram.createSocket('udp4')
  for (const text of ['<13>1 - web03.example.com app - - - line 7\n', '', `<13>app: ${'8'.repeat(2000)}`])
    await new Promise((resolve) => socket.send(text, udp!, '127.0.0.1', resolve))
  socket.close()
  const lines = (await chain.lines(8)).map((line) => line.replace(/^\S+ /, '')).sort()
  t.deepEqual(lines, [
    'web01.example.com -: line 3',
    `web01.example.com app: ${'5'.repeat(1024 - 9)}`,
    `web01.example.com app: ${'8'.repeat(1024 - 9)}`,
    'web01.example.com app: line 2',
    'web01.example.com app: line 4',
    'web01.example.com app: line 6x',
    'web01.example.com/web02 app[7]: line 1',
    'web01.example.com/web03.example.com app: line 7',
  ])
  t.is(await say({ host: '127.0.0.1', port: tcp! }, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'), '')
  t.regex(await agent.event('source-refused'), /looks like an HTTP request\. Point the browser/)
})

test('a TCP source that the whole network could reach, and one whose port is taken, are explained', async (t) => {
  const chain = await Chain.make(t)
  chain.agentOptions['sources'] = [{ tcp: '0.0.0.0:5140' }]
  await t.throwsAsync(chain.startAgent(), {
    message: /sources\[0\].*0\.0\.0\.0 is not loopback, and without TLS anyone on the way could read and forge/s,
  })
  const taken = net.createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  t.teardown(() => taken.close())
  const { port } = taken.address() as net.AddressInfo
  chain.agentOptions['sources'] = [{ tcp: `127.0.0.1:${port}` }]
  await t.throwsAsync(chain.startAgent(), {
    message: /Cannot listen on tcp 127\.0\.0\.1:\d+: .*EADDRINUSE.*End the program that has this port/s,
  })
  const { code, stdout } = await loghop('agent', 'check', '--config', chain.place('agent.yaml'))
  t.not(code, 0)
  t.regex(stdout, /BAD +source: 127\.0\.0\.1:\d+ is in use/)
})
