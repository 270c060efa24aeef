import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import test from 'ava'
import { AGENT_NAME, Chain, linesOf, RELAY_NAME, type Status, temporaryDirectory } from '../support/chain.ts'
import { Daemon, ENTRY, loghop, loghopWith, watched } from '../support/daemon.ts'
import { eventually } from '../support/eventually.ts'
import { EXPIRED, makeIdentity, putIdentity } from '../support/identities.ts'
import { sendOne } from '../support/send-one.ts'

function textsOf(file: string): string[] {
  return linesOf(file).map((line) => line.replace(/^.*\]: /, ''))
}

const NUMBERS = Array.from({ length: 100 }, (_, index) => `message ${index + 1}`)

test('an agent stops although its relay cannot be reached, and its spool keeps everything', async (t) => {
  const chain = await Chain.make(t)
  await chain.startRelay()
  await chain.relay.end('SIGTERM')
  chain.agentOptions['stop_timeout'] = '300s'
  await chain.startAgent()
  await chain.agent.event('relay-failed')
  for (const text of NUMBERS) sendOne(chain, text)
  // It ends long before the timeout: without a connection there is nothing to wait for.
  t.deepEqual(await chain.agent.end('SIGTERM'), { code: 0, signal: null })
  t.regex(chain.agent.said, / info stopped: Agent stopped stored=100 forwarded=0 lost=0/)
  await chain.startRelay()
  await chain.startAgent()
  await chain.lines(100)
  await chain.agent.end('SIGTERM')
  await chain.relay.end('SIGTERM')
  t.deepEqual(textsOf(chain.file), NUMBERS)
})

test('an agent stops within stop_timeout although its relay does not answer any more', async (t) => {
  const chain = await Chain.make(t)
  chain.agentOptions['stop_timeout'] = '1s'
  await chain.startRelay()
  await chain.startAgent()
  await chain.agent.event('relay-connected')
  chain.relay.signal('SIGSTOP')
  for (const text of NUMBERS) sendOne(chain, text)
  t.deepEqual(await chain.agent.end('SIGTERM'), { code: 0, signal: null })
  const [asked, ended] = [await chain.agent.event('stopping'), await chain.agent.event('stopped')].map((line) =>
    Date.parse(line.split(' ')[0]!),
  )
  t.true(ended! - asked! >= 900, 'it did not wait for the acknowledgement')
  chain.relay.signal('SIGCONT')
  await chain.startAgent()
  await chain.lines(100)
  await chain.agent.end('SIGTERM')
  await chain.relay.end('SIGTERM')
  t.deepEqual(textsOf(chain.file), NUMBERS)
})

test('a second signal ends the agent at once, and the spool keeps everything', async (t) => {
  const chain = await Chain.make(t)
  chain.agentOptions['stop_timeout'] = '10min'
  await chain.startRelay()
  await chain.startAgent()
  await chain.agent.event('relay-connected')
  chain.relay.signal('SIGSTOP')
  for (const text of NUMBERS) sendOne(chain, text)
  await eventually('all to be in the spool', async () => {
    // Not well, since the relay does not answer, but it tells.
    const { stdout } = await loghop('agent', 'status', '--json', '--config', chain.agentConfig)
    return (JSON.parse(stdout) as Status).metrics['loghop_messages_stored_total'] === 100
  })
  chain.agent.signal('SIGTERM')
  await chain.agent.event('stopping')
  // Not the timeout, nor the limit for acknowledgements: nothing gentle is waited for.
  t.deepEqual(await chain.agent.end('SIGINT'), { code: null, signal: 'SIGKILL' })
  t.regex(chain.agent.said, / warn stopped-at-once: .*the spool keeps what is left/)
  chain.relay.signal('SIGCONT')
  await chain.startAgent()
  await chain.lines(100)
  await chain.agent.end('SIGTERM')
  await chain.relay.end('SIGTERM')
  t.deepEqual(textsOf(chain.file), NUMBERS)
})

test('an orderly stop of agent and relay leaves nothing behind, and no warning', async (t) => {
  const chain = await Chain.start(t)
  await chain.agent.event('relay-connected')
  for (const text of NUMBERS) sendOne(chain, text)
  t.deepEqual(await chain.agent.end('SIGTERM'), { code: 0, signal: null })
  t.regex(await chain.relay.event('peer-gone'), / info peer-gone: web01\.example\.com has gone peer=/)
  t.deepEqual(await chain.relay.end('SIGINT'), { code: 0, signal: null })
  t.deepEqual(textsOf(chain.file), NUMBERS)
  t.notRegex(`${chain.agent.said}\n${chain.relay.said}`, / (?:warn|error) /)
  t.regex(chain.relay.said, / info stopped: Relay stopped stored=100 filed=100/)
})

test('SIGHUP reads the identity again, and keeps the old one when the new one is of no use', async (t) => {
  const chain = await Chain.start(t)
  fs.renameSync(chain.place('agent-identity'), chain.place('old-identity'))
  await chain.issue('agent-identity', { name: AGENT_NAME, role: 'agent' })
  const fresh = fs.readFileSync(chain.place('agent-identity/cert.pem'), 'utf8')
  chain.agent.signal('SIGHUP')
  t.regex(await chain.agent.event('identity-loaded'), /CN=web01\.example\.com, issued by CN=Test Logs Issuer, valid .* to .*, sha-256:/)
  const mark = chain.agent.mark
  fs.writeFileSync(chain.place('agent-identity/cert.pem'), 'nonsense')
  chain.agent.signal('SIGHUP')
  t.regex(await chain.agent.event('identity-kept', mark), /cert\.pem: it holds no certificate in PEM form.*The identity in use is kept/)
  fs.writeFileSync(chain.place('agent-identity/cert.pem'), fresh)
  const relayMark = chain.relay.mark
  fs.rmSync(chain.place('relay-identity'), { recursive: true })
  chain.relay.signal('SIGHUP')
  t.regex(await chain.relay.event('identity-kept', relayMark), /the directory is missing/)
  // Both still serve, with what they have.
  const agentMark = chain.agent.mark
  sendOne(chain, 'still here')
  await chain.lines(1)
  await chain.issue('relay-identity', { name: RELAY_NAME, role: 'relay', san: ['127.0.0.1'] })
  chain.relay.signal('SIGHUP')
  await chain.relay.event('identity-loaded', relayMark)
  t.is(chain.agent.lines.slice(agentMark).filter((line) => / warn | error /.test(line)).length, 0)
})

test('two agents, or two relays, do not share a spool', async (t) => {
  const chain = await Chain.start(t)
  chain.agentOptions['sources'] = [{ unix: chain.place('second') }]
  for (const [name, config] of [
    ['agent', chain.agentConfig],
    ['relay', chain.relayConfig],
  ] as const) {
    const second = Daemon.spawn(t, name, config)
    t.deepEqual(await second.ended, { code: 1, signal: null }, second.said)
    await second.closed()
    t.regex(second.said, /loghop: Cannot open the spool \S+: another process has it open\n {2}Stop that one first/)
  }
  t.false(fs.existsSync(chain.place('second')))
  sendOne(chain, 'still served by the first')
  t.deepEqual((await chain.lines(1)).length, 1)
})

test('two relays do not share a port', async (t) => {
  const chain = await Chain.make(t)
  await chain.startRelay()
  chain.relayOptions['spool'] = { directory: chain.place('second-spool') }
  const second = Daemon.spawn(t, 'relay', chain.relayConfig)
  t.deepEqual(await second.ended, { code: 1, signal: null }, second.said)
  await second.closed()
  t.regex(second.said, /loghop: Cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*\n {2}Stop what has that port/)
})

test('check gives a verdict on each thing that run would open', async (t) => {
  const chain = await Chain.make(t)
  const agent = await loghop('agent', 'check', '--config', chain.agentConfig)
  t.is(agent.code, 0, agent.stdout)
  t.regex(
    agent.stdout,
    /^good {2}configuration: .*\ngood {2}identity: CN=web01\.example\.com.*\ngood {2}spool: .*\ngood {2}source: .*\nready to run\n$/,
  )
  const relay = await loghop('relay', 'check', '--config', chain.relayConfig)
  t.is(relay.code, 0, relay.stdout)
  t.regex(relay.stdout, /good {2}listener: 127\.0\.0\.1:0 can be bound\nready to run\n$/)
  t.false(fs.existsSync(chain.socket), 'a check must not make the socket')
  fs.writeFileSync(chain.socket, '')
  putIdentity(chain, 'agent-identity', await makeIdentity(chain, EXPIRED))
  const bad = await loghop('agent', 'check', '--config', chain.agentConfig)
  t.is(bad.code, 78)
  t.regex(bad.stdout, /BAD {3}identity: .*expired on .*\n {6}Issue a new identity/)
  t.regex(bad.stdout, /BAD {3}source: \S+\/log is no socket\n {6}/)
  t.regex(bad.stdout, /not ready: mend what is marked BAD\n$/)
  fs.chmodSync(chain.place('relay-identity/key.pem'), 0o644)
  const loose = await loghop('relay', 'check', '--config', chain.relayConfig)
  t.is(loose.code, 78)
  t.regex(loose.stdout, /BAD {3}identity: .*its mode is 0644, others than its owner must not read a key\n {6}Run: chmod 600 \S+\/key\.pem/)
})

test('status tells how it goes, and its exit code whether all is well', async (t) => {
  const chain = await Chain.make(t)
  const none = await loghop('agent', 'status', '--config', chain.agentConfig)
  t.is(none.code, 1)
  t.regex(none.stderr, /^loghop: Cannot ask for the status of \S+: nothing runs there\n {2}Start the daemon/)
  await chain.startAgent()
  await chain.agent.event('relay-failed')
  const alone = await loghop('agent', 'status', '--config', chain.agentConfig)
  t.is(alone.code, 1)
  t.regex(alone.stdout, /destination {2}forward 127\.0\.0\.1:1: (?:waiting|connecting), .* behind \(Cannot reach 127\.0\.0\.1:1/)
  await chain.agent.end('SIGTERM')
  await chain.startRelay()
  await chain.startAgent()
  await chain.agent.event('relay-connected')
  sendOne(chain, 'hello')
  await chain.lines(1)
  const agent = await loghop('agent', 'status', '--config', chain.agentConfig)
  t.is(agent.code, 0, agent.stdout)
  t.regex(agent.stdout, /^agent web01\.example\.com, process \d+, up \d+ s, certificate valid to 20/)
  t.regex(agent.stdout, /destination {2}forward 127\.0\.0\.1:\d+: ready, 0B behind/)
  const relay = await loghop('relay', 'status', '--config', chain.relayConfig)
  t.is(relay.code, 0, relay.stdout)
  t.regex(relay.stdout, /peer {9}web01\.example\.com from 127\.0\.0\.1:\d+, RELP, 1 messages since /)
  const { code, stdout } = await loghop('relay', 'status', '--json', '--config', chain.relayConfig)
  t.is(code, 0)
  const status = JSON.parse(stdout) as Status
  t.is(status.pid, chain.relay.pid)
  t.is(status.metrics['loghop_messages_filed_total'], 1)
})

test('exit codes: 0 done, 1 failed, 64 wrong usage, 78 wrong configuration', async (t) => {
  const chain = await Chain.make(t)
  fs.writeFileSync(chain.place('wrong.yaml'), 'identity: relative\nspol: {}\n')
  const cases: ReadonlyArray<readonly [number, ...string[]]> = [
    [0, '--help'],
    [0, '--version'],
    [64, 'nonsense'],
    [64, 'agent', 'nonsense'],
    [64, 'agent', 'run', '--nonsense'],
    [64, 'pki', 'issue', 'web02.example.com', '--role', 'king', '--directory', chain.place('ca'), '--out', chain.place('out')],
    [78, 'agent', 'run', '--config', chain.place('wrong.yaml')],
    [78, 'relay', 'check', '--config', chain.place('wrong.yaml')],
    [78, 'relay', 'run', '--config', chain.place('not-there.yaml')],
    [1, 'relay', 'status', '--config', chain.relayConfig],
    [1, 'pki', 'init', '--name', 'Again', '--directory', chain.place('ca')],
  ]
  for (const [code, ...args] of cases) {
    const finished = await loghop(...args)
    t.is(finished.code, code, `loghop ${args.join(' ')}: ${finished.stderr}`)
    t.notRegex(finished.stderr, /\n {4}at |node:internal/, 'a stack trace is not for a person')
  }
  const { stderr } = await loghop('agent', 'run', '--config', chain.place('wrong.yaml'))
  t.regex(stderr, /wrong\.yaml:2:1: /)
  t.regex(stderr, /spool/)
})

test('the demo sends one line through the whole chain, prints it as filed, and leaves nothing behind', async (t) => {
  const directory = temporaryDirectory(t)
  const { code, stdout, stderr } = await loghopWith({ TMPDIR: directory }, 'demo', '--once')
  t.is(code, 0, stderr)
  t.regex(stdout, /^\d{4}-\d\d-\d\dT\S+ web01\.example\.com loghop-demo\[\d+\]: hello from the demo, \d+\n$/)
  t.deepEqual(fs.readdirSync(directory), [])
})

test('the demo can be kept and run again in its directory', async (t) => {
  const chain = await Chain.make(t)
  const directory = chain.place('demo')
  for (const round of [1, 2]) {
    const { code, stdout, stderr } = await loghop('demo', '--once', '--directory', directory)
    t.is(code, 0, stderr)
    t.regex(stdout, /hello from the demo/)
    t.is(linesOf(`${directory}/logs/web01.example.com/messages`).length, round)
  }
})

test('the demo that is interrupted while it starts leaves no daemon behind', async (t) => {
  const chain = await Chain.make(t)
  const directory = chain.place('demo')
  const demo = spawn(process.execPath, [ENTRY, 'demo', '--directory', directory], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = watched(t, demo)
  await eventually('the first daemon to be there', () => running(directory).length > 0)
  demo.kill('SIGTERM')
  t.not((await ended).code, null, 'it has ended by itself')
  t.deepEqual(running(directory), [])
})

/** Command lines of the daemons that were started with a configuration there. */
function running(directory: string): string[] {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')
      } catch {
        return ''
      }
    })
    .filter((line) => line.includes(`--config ${directory}/`))
}

test('a relay whose spool has been removed stops all the same, and says what is wrong', async (t) => {
  const chain = await Chain.make(t)
  await chain.startRelay()
  await chain.startAgent()
  await chain.agent.event('relay-connected')
  const { directory } = chain.relayOptions['spool'] as { directory: string }
  fs.rmSync(directory, { recursive: true })
  t.deepEqual(await chain.relay.end('SIGTERM'), { code: 1, signal: null })
  t.regex(chain.relay.said, /^loghop: Cannot write the last cursors of the spool .*: ENOENT.*\n {2}See that the directory is there/m)
  await chain.agent.end('SIGTERM')
})

test('a stop that hangs is ended, and says so', async (t) => {
  const lifecycle = new URL('../../core/daemon/lifecycle.ts', import.meta.url).href
  const log = new URL('../../core/base/log.ts', import.meta.url).href
  const script = `
    import { createLog } from '${log}'
    import { untilStopped } from '${lifecycle}'
    setInterval(() => undefined, 1000)
    const start = async () => { setImmediate(() => process.kill(process.pid, 'SIGTERM')); return { stop: () => new Promise(() => undefined), reload: () => undefined } }
    await untilStopped(start, 100, createLog('info', 'text', (line) => process.stderr.write(line)), 100)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  t.deepEqual(await watched(t, child), { code: null, signal: 'SIGKILL' })
  t.regex(said, / error stop-unfinished: Ended at once: it had not stopped within 0\.2 s/)
})

test('SIGHUP after SIGTERM does not open anew what is being closed', async (t) => {
  const chain = await Chain.make(t)
  chain.agentOptions['stop_timeout'] = '2s'
  await chain.startRelay()
  await chain.startAgent()
  await chain.agent.event('relay-connected')
  chain.relay.signal('SIGSTOP')
  sendOne(chain, 'in flight')
  chain.agent.signal('SIGTERM')
  await chain.agent.event('stopping')
  t.deepEqual(await chain.agent.end('SIGHUP'), { code: 0, signal: null })
  t.notRegex(chain.agent.said, / reloaded: | identity-loaded: /)
  chain.relay.signal('SIGCONT')
  await chain.relay.end('SIGTERM')
})
