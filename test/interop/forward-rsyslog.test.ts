// What rsyslog receives from a forward destination: imtcp over TLS with each of its drivers, and imrelp over TLS with each of its libraries.

import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import type { ForeignProtocol } from '../../core/destinations/foreign/protocols.ts'
import { AGENT_NAME, Chain, linesOf, RELAY_NAME } from '../support/chain.ts'
import { loghop, watched } from '../support/daemon.ts'
import { eventually } from '../support/eventually.ts'
import { fixedPort } from '../support/fixed-port.ts'
import { sendDatagrams } from '../support/local-sender.ts'
import { COUNT } from '../support/programs.ts'
import { drained, identityIn, messagesOf, World } from '../unit/destinations/foreign-world.ts'

const MANY = 200_000
/** rsyslog's own name for the client that may connect. */
const PEER = 'relay.example.com'

class Rsyslog {
  readonly port: number
  readonly file: string
  said = ''
  readonly #configuration: string
  readonly #pid: string
  readonly #t: ExecutionContext
  #signal: (signal: NodeJS.Signals) => Promise<unknown> = async () => undefined

  private constructor(t: ExecutionContext, chain: Chain, port: number, input: string) {
    this.#t = t
    this.port = port
    this.file = chain.place('received')
    this.#pid = chain.place('rsyslog.pid')
    this.#configuration = chain.place('rsyslog.conf')
    fs.writeFileSync(
      this.#configuration,
      `${input}
template(name="raw" type="string" string="%rawmsg%\\n")
action(type="omfile" file="${this.file}" template="raw")
`,
    )
  }

  static async start(t: ExecutionContext, chain: Chain, input: (port: number) => string): Promise<Rsyslog> {
    const port = await fixedPort()
    const rsyslog = new Rsyslog(t, chain, port, input(port))
    rsyslog.run()
    return rsyslog
  }

  run(): void {
    const child = spawn('/usr/sbin/rsyslogd', ['-n', '-f', this.#configuration, '-i', this.#pid], { stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = watched(this.#t, child)
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.said += chunk.toString('utf8')
      })
    }
    this.#signal = (signal) => {
      child.kill(signal)
      return ended
    }
  }

  end(signal: NodeJS.Signals): Promise<unknown> {
    return this.#signal(signal)
  }

  /** Waits until so many different messages stand in its file. @returns all that do */
  async received(count: number): Promise<string[]> {
    let lines: string[] = []
    await eventually(
      `${count} messages at rsyslog`,
      () => {
        lines = linesOf(this.file)
        return new Set(lines).size >= count
      },
      () => `There are ${lines.length}. ${this.said}`,
    )
    return lines
  }
}

async function prepare(t: ExecutionContext, input: (chain: Chain, receiver: string, port: number) => string) {
  const chain = await Chain.make(t)
  const receiver = await chain.issue('receiver', { name: 'loghost.example.com', role: 'relay', san: ['127.0.0.1'] })
  const rsyslog = await Rsyslog.start(t, chain, (port) => input(chain, receiver, port))
  const world = new World(t)
  const start = (protocol: ForeignProtocol) =>
    world.start(t, protocol, { ports: [rsyslog.port], identity: () => identityIn(chain.place('relay-identity')) })
  return { rsyslog, world, start }
}

/** In batches, every other one compressed. */
async function storeAll(world: World, count = COUNT): Promise<void> {
  const batch = 2000
  for (let at = 0; at < count; at += batch) await world.store(messagesOf(batch, at), (at / batch) % 2 === 1)
}

function imrelp(library: string) {
  return (_chain: Chain, receiver: string, port: number) => `module(load="imrelp" tls.tlslib="${library}")
input(type="imrelp" address="127.0.0.1" port="${port}" tls="on" tls.caCert="${receiver}/ca.pem" tls.myCert="${receiver}/cert.pem"
  tls.myPrivKey="${receiver}/key.pem" tls.authMode="name" tls.permittedPeer=["${PEER}"])
`
}

function imtcp(driver: string) {
  return (_chain: Chain, receiver: string, port: number) => `global(DefaultNetstreamDriver="${driver}"
  DefaultNetstreamDriverCAFile="${receiver}/ca.pem" DefaultNetstreamDriverCertFile="${receiver}/cert.pem"
  DefaultNetstreamDriverKeyFile="${receiver}/key.pem")
module(load="imtcp" StreamDriver.Name="${driver}" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/name" PermittedPeer=["${PEER}"])
input(type="imtcp" address="127.0.0.1" port="${port}")
`
}

for (const [protocol, input] of [
  ['relp', imrelp('openssl')],
  ['syslog-tls', imtcp('ossl')],
] as const) {
  test(`a relay files what its agent sends and forwards it to rsyslog over ${protocol}, each once`, async (t) => {
    const chain = await Chain.make(t)
    const receiver = await chain.issue('receiver', { name: 'loghost.example.com', role: 'relay', san: ['127.0.0.1'] })
    const rsyslog = await Rsyslog.start(t, chain, (port) => input(chain, receiver, port))
    const files = chain.relayOptions['destinations'] as unknown[]
    chain.relayOptions['destinations'] = [...files, { forward: [`127.0.0.1:${rsyslog.port}`], protocol }]
    await chain.startRelay()
    await chain.startAgent()
    sendDatagrams(
      chain.socket,
      Array.from({ length: COUNT }, (_, index) => `<13>app: number ${index}`),
    )
    const received = await rsyslog.received(COUNT)
    await chain.lines(COUNT)
    const said = await loghop('relay', 'status', '--config', chain.relayConfig, '--json')
    const status = JSON.parse(said.stdout) as { destinations: Record<string, unknown>[] }
    t.like(status.destinations[1], { kind: 'forward', protocol, state: 'ready', relay: `127.0.0.1:${rsyslog.port}`, trouble: '' })
    await chain.agent.end('SIGTERM')
    await chain.relay.end('SIGTERM')
    t.is(received.length, COUNT)
    for (const [index, line] of linesOf(rsyslog.file).entries()) {
      t.regex(line, new RegExp(`^<13>1 \\S+ ${AGENT_NAME} app \\d+ - \\[sender@32473 [^\\]]*\\] number ${index}$`))
    }
  })
}

test.before((t) => t.is(RELAY_NAME, PEER))

for (const library of ['openssl', 'gnutls']) {
  test(`imrelp with ${library} receives ${COUNT} messages, each once, in order and unchanged, and the session ends in order`, async (t) => {
    const { rsyslog, world, start } = await prepare(t, imrelp(library))
    await storeAll(world)
    const destination = start('relp')
    const lines = await rsyslog.received(COUNT)
    await drained(destination)
    t.is(world.metrics.get('messagesForwarded'), COUNT)
    await destination.stop(AbortSignal.timeout(10_000))
    await rsyslog.end('SIGTERM')
    t.deepEqual(lines, messagesOf(COUNT))
    t.deepEqual(linesOf(rsyslog.file), messagesOf(COUNT))
    t.is(rsyslog.said, '')
  })
}

test(`imrelp that is ended and started again on the way receives ${MANY} messages, none missing`, async (t) => {
  const { rsyslog, world, start } = await prepare(t, imrelp('openssl'))
  await storeAll(world, MANY)
  const destination = start('relp')
  await eventually('the first thousand', () => world.metrics.get('messagesForwarded') > 1000)
  await rsyslog.end('SIGTERM')
  const before = world.metrics.get('messagesForwarded')
  rsyslog.run()
  const lines = await rsyslog.received(MANY)
  await drained(destination)
  t.true(before < MANY, 'it was ended on the way')
  t.deepEqual([...new Set(lines)].sort(), messagesOf(MANY).sort())
})

for (const driver of ['ossl', 'gtls']) {
  test(`imtcp with ${driver} receives ${COUNT} messages over TLS, each once, in order and unchanged, and the connection ends in order`, async (t) => {
    const { rsyslog, world, start } = await prepare(t, imtcp(driver))
    await storeAll(world)
    const destination = start('syslog-tls')
    const lines = await rsyslog.received(COUNT)
    await destination.stop(AbortSignal.timeout(10_000))
    t.is(destination.status()['lag_bytes'], 0)
    t.is(world.metrics.get('messagesForwarded'), COUNT)
    await rsyslog.end('SIGTERM')
    t.deepEqual(lines, messagesOf(COUNT))
    t.deepEqual(linesOf(rsyslog.file), messagesOf(COUNT))
    t.is(rsyslog.said, '')
  })
}

test(`imtcp that is not up yet receives ${COUNT} messages once it is`, async (t) => {
  const { rsyslog, world, start } = await prepare(t, imtcp('ossl'))
  await rsyslog.end('SIGKILL')
  await storeAll(world)
  const destination = start('syslog-tls')
  await eventually('a refusal', () => world.told('relay-failed').length > 0)
  rsyslog.run()
  const lines = await rsyslog.received(COUNT)
  await destination.stop(AbortSignal.timeout(10_000))
  t.deepEqual([...new Set(lines)], messagesOf(COUNT))
})
