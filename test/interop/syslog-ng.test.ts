// syslog-ng as Debian brings it, on both sides of the relay.

import * as fs from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { Chain, linesOf } from '../support/chain.ts'
import { eventually } from '../support/eventually.ts'
import { fixedPort } from '../support/fixed-port.ts'
import { allArrive, COUNT, feed, NUMBERS, open, start } from '../support/programs.ts'
import { findSyslogNg } from '../support/syslog-ng.ts'
import { identityIn, messagesOf, World } from '../unit/destinations/foreign-world.ts'

const syslogNg = findSyslogNg()
// run.ts names what it needs where it cannot be had.
const run = syslogNg === undefined ? test.serial.skip : test.serial

function startSyslogNg(t: ExecutionContext, chain: Chain): { said: string } {
  const state = ['--persist-file', chain.place('persist'), '--pidfile', chain.place('pid'), '--control', chain.place('ctl')]
  const args = ['-F', '-f', chain.place('syslog-ng.conf'), '--no-caps', ...state, ...syslogNg!.moduleArguments]
  return start(t, syslogNg!.program, args, syslogNg!.environment)
}

for (const kind of ['syslog', 'network'])
  run(`syslog-ng's ${kind}() over TLS delivers, each message once and in order`, async (t) => {
    const chain = await Chain.make(t)
    const identity = await chain.issue('box', { name: 'box7.example.com', role: 'agent' })
    const [port] = await open(chain, { clients: { names: ['*.example.com'] } })
    const socket = chain.place('in')
    // Its key file holds key and certificate each; intermediates go with the certificate.
    fs.writeFileSync(
      chain.place('syslog-ng.conf'),
      `@version: 3.38
source s { unix-dgram("${socket}" flags(no-hostname) so-rcvbuf(4194304)); };
destination d { ${kind}("127.0.0.1" port(${port}) transport("tls") log-fifo-size(20000)
  tls(peer-verify(required-trusted) ca-file("${identity}/ca.pem") key-file("${identity}/key.pem") cert-file("${identity}/cert.pem"))); };
log { source(s); destination(d); flags(flow-control); };
`,
    )
    const running = startSyslogNg(t, chain)
    await feed(socket, running)
    await allArrive(t, chain, 'box7.example.com')
  })

for (const [kind, framing, flags] of [
  ['syslog', 'octet-counted', ''],
  ['network', 'lines', 'flags(syslog-protocol)'],
] as const)
  run(
    `our forward over TLS, ${framing}, to syslog-ng's ${kind}(): each message once and in order, and the connection ends in order`,
    async (t) => {
      const chain = await Chain.make(t)
      const receiver = await chain.issue('receiver', { name: 'loghost.example.com', role: 'relay', san: ['127.0.0.1'] })
      const port = await fixedPort()
      const file = chain.place('received')
      fs.writeFileSync(
        chain.place('syslog-ng.conf'),
        `@version: 3.38
options { keep-hostname(yes); };
source s { ${kind}(ip("127.0.0.1") port(${port}) transport("tls") ${flags}
  tls(peer-verify(required-trusted) ca-file("${receiver}/ca.pem") key-file("${receiver}/key.pem") cert-file("${receiver}/cert.pem"))); };
destination d { file("${file}" template("\${HOST} \${PROGRAM}: [\${MSG}]\\n")); };
log { source(s); destination(d); flags(flow-control); };
`,
      )
      const running = startSyslogNg(t, chain)
      await eventually(
        'syslog-ng',
        () => running.said.includes('syslog-ng starting up') || fs.existsSync(chain.place('ctl')),
        () => running.said,
      )
      const world = new World(t)
      await world.store(messagesOf(COUNT / 2))
      await world.store(messagesOf(COUNT / 2, COUNT / 2), true)
      // What a line cannot hold must not become two messages, nor be lost.
      await world.store(['<13>1 2026-01-01T00:00:00Z web01 app - - - two\nlines'])
      const wanted = [...NUMBERS.map((index) => `number ${index}`), framing === 'lines' ? 'two#012lines' : 'two\nlines']
      const text = (): string => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '')
      const destination = world.start(t, 'syslog-tls', {
        ports: [port],
        framing,
        identity: () => identityIn(chain.place('relay-identity')),
      })
      await eventually(
        `${COUNT} messages at syslog-ng`,
        () => text().endsWith('lines]\n'),
        () => `There are ${linesOf(file).length}. ${running.said}`,
      )
      await destination.stop(AbortSignal.timeout(10_000))
      t.deepEqual(
        text()
          .split(/(?<=\])\n/)
          .slice(0, -1),
        wanted.map((message) => `web01 app: [${message}]`),
      )
      t.is(destination.status()['lag_bytes'], 0)
      t.is(world.metrics.get('messagesEscaped'), framing === 'lines' ? 1 : 0)
      t.notRegex(running.said, /I\/O error|SSL error/i)
    },
  )
